use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{
    HeaderName, HeaderValue, Request,
    header::{AUTHORIZATION, FORWARDED},
};
use proptest::prelude::*;
use tower_ballast_core::Key;

use super::*;

const XFF: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROXY: &str = "10.0.0.1:40000";

/// The lines of a field, and who the client then is.
type Case = (&'static [&'static str], &'static str);

#[test]
fn nobody_is_trusted_unless_one_says_so() {
    let nobody = [ClientIp::new(), ClientIp::trusting_hops(0), ClientIp::trusting([])];
    for ip in nobody {
        let cases: [Case; 3] =
            [(&[], "10.0.0.1"), (&["192.0.2.7"], "10.0.0.1"), (&["127.0.0.1"], "10.0.0.1")];
        check(&ip, &XFF, &cases);
        check(&ip.forwarded(), &FORWARDED, &[(&["for=192.0.2.7"], "10.0.0.1")]);
    }
}

#[test]
fn one_trusted_hop_says_who_sent_it_the_request() {
    let cases: [Case; 27] = [
        (&[], "10.0.0.1"),
        (&["192.0.2.7"], "192.0.2.7"),
        // Whatever stands before the last element was there before.
        (&["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (&["6.6.6.6,192.0.2.7"], "192.0.2.7"),
        (&["10.0.0.1, 127.0.0.1, 192.0.2.7"], "192.0.2.7"),
        (&["\"6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (&["junk,,, \t, 192.0.2.7"], "192.0.2.7"),
        (&["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (&["192.0.2.7", "6.6.6.6, 192.0.2.8"], "192.0.2.8"),
        (&["6.6.6.6, 5.5.5.5", "4.4.4.4", "192.0.2.7"], "192.0.2.7"),
        // Empty elements are none.
        (&[""], "10.0.0.1"),
        (&[" , ,"], "10.0.0.1"),
        (&["192.0.2.7,"], "192.0.2.7"),
        (&["192.0.2.7", "  "], "192.0.2.7"),
        // Ports and brackets.
        (&["192.0.2.7:4711"], "192.0.2.7"),
        (&["2001:db8::7"], "2001:db8::7"),
        (&["[2001:db8::7]"], "2001:db8::7"),
        (&["[2001:db8::7]:4711"], "2001:db8::7"),
        (&["2001:db8::7:4711"], "2001:db8::7:4711"),
        (&["::ffff:192.0.2.7"], "192.0.2.7"),
        (&["[::ffff:c000:207]:80"], "192.0.2.7"),
        // What is no address ends the walk.
        (&["192.0.2.7, junk"], "10.0.0.1"),
        (&["192.0.2.7, 192.0.2.7 6.6.6.6"], "10.0.0.1"),
        (&["192.0.2.007"], "10.0.0.1"),
        (&["192.0.2.7:port"], "10.0.0.1"),
        (&["[2001:db8::7"], "10.0.0.1"),
        (&["unknown"], "10.0.0.1"),
    ];
    check(&ClientIp::trusting_hops(1), &XFF, &cases);
}

#[test]
fn two_trusted_hops_say_it_one_after_the_other() {
    let cases: [Case; 11] = [
        (&[], "10.0.0.1"),
        (&["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        (&["192.0.2.7", "10.0.0.2"], "192.0.2.7"),
        (&["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        (&["6.6.6.6", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        // Fewer elements than hops: the last that is known.
        (&["10.0.0.2"], "10.0.0.2"),
        (&["junk, 10.0.0.2"], "10.0.0.2"),
        (&["6.6.6.6, junk, 10.0.0.2"], "10.0.0.2"),
        (&["192.0.2.7, junk"], "10.0.0.1"),
        // A hop that hides itself is a hop, and no client.
        (&["192.0.2.7, unknown"], "192.0.2.7"),
        (&["unknown, 10.0.0.2"], "10.0.0.2"),
    ];
    check(&ClientIp::trusting_hops(2), &XFF, &cases);
    check(&ClientIp::trusting_hops(u32::MAX), &XFF, &[(&["192.0.2.7, 10.0.0.2"], "192.0.2.7")]);
}

#[test]
fn the_client_is_the_first_outside_of_the_trusted_networks() {
    let cases: [Case; 10] = [
        (&[], "10.0.0.1"),
        (&["192.0.2.7"], "192.0.2.7"),
        (&["192.0.2.7, 10.0.0.3, 10.0.0.2"], "192.0.2.7"),
        (&["192.0.2.7, ::ffff:10.0.0.3, 10.0.0.2"], "192.0.2.7"),
        (&["10.9.9.9, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        (&["10.9.9.9", "6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&["192.0.2.7, junk, 10.0.0.2"], "10.0.0.2"),
        (&["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
        (&["192.0.2.7, 10.0.0.2:99999999"], "10.0.0.1"),
    ];
    let ip = ClientIp::trusting([Cidr::v4::<8>([10, 0, 0, 0])]);
    check(&ip, &XFF, &cases);

    let stranger = request(Some("192.0.2.9:1"), &XFF, &["6.6.6.6"]);
    assert_eq!(ip.address(&stranger), address("192.0.2.9"));
    let mapped = request(Some("[::ffff:10.0.0.1]:1"), &XFF, &["192.0.2.7"]);
    assert_eq!(ip.address(&mapped), address("192.0.2.7"));
    assert_eq!(ClientIp::new().address(&mapped), address("10.0.0.1"));
}

#[test]
fn the_standard_field_is_read_in_all_its_forms() {
    let cases: [Case; 31] = [
        (&[], "10.0.0.1"),
        (&["for=192.0.2.7"], "192.0.2.7"),
        (&["For=192.0.2.7;Proto=https;By=203.0.113.43"], "192.0.2.7"),
        (&["proto=http; for=192.0.2.7 ; by=203.0.113.43"], "192.0.2.7"),
        (&["for=\"192.0.2.7\""], "192.0.2.7"),
        (&["for=\"192.0.2.7:4711\""], "192.0.2.7"),
        (&["for=192.0.2.7:4711"], "192.0.2.7"),
        (&["for=\"192.0.2.7:_port\""], "192.0.2.7"),
        (&["for=\"[2001:db8::7]\""], "2001:db8::7"),
        (&["for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
        (&["for=\"2001:db8::7\""], "2001:db8::7"),
        (&["for=[2001:db8::7]"], "2001:db8::7"),
        (&["for=\"[::ffff:192.0.2.7]\""], "192.0.2.7"),
        (&["for=\"19\\2.0.2.7\""], "192.0.2.7"),
        (&["host=\"a, for=6.6.6.6\";for=192.0.2.7"], "192.0.2.7"),
        (&["for=192.0.2.7;host=\"a, for=6.6.6.6 \\\" b\""], "192.0.2.7"),
        (&["for=192.0.2.7;host=\"a\\\\\""], "192.0.2.7"),
        (&["for=192.0.2.7;;"], "192.0.2.7"),
        (&["for=6.6.6.6, for=192.0.2.7"], "192.0.2.7"),
        (&["for=6.6.6.6", "for=192.0.2.7"], "192.0.2.7"),
        (&["for=\"", "for=192.0.2.7"], "192.0.2.7"),
        // A quote that the client left open swallows nothing.
        (&["for=\"6.6.6.6, for=192.0.2.7"], "192.0.2.7"),
        (&["for=6.6.6.6;host=\"\\, for=\"[2001:db8::7]:80\";proto=http"], "2001:db8::7"),
        // Hidden, or no address.
        (&["for=unknown"], "10.0.0.1"),
        (&["for=_gazonk"], "10.0.0.1"),
        (&["proto=https"], "10.0.0.1"),
        (&["for=192.0.2.7;for=6.6.6.6"], "10.0.0.1"),
        (&["for = 192.0.2.7"], "10.0.0.1"),
        (&["for=\"192.0.2.7"], "10.0.0.1"),
        (&["for=\"192.0.2.7\"6.6.6.6"], "10.0.0.1"),
        (&["192.0.2.7"], "10.0.0.1"),
    ];
    check(&ClientIp::trusting_hops(1).forwarded(), &FORWARDED, &cases);
}

#[test]
fn a_hop_that_hides_itself_counts_and_is_no_network() {
    let cases: [Case; 3] = [
        (&["for=192.0.2.7, for=_inner"], "192.0.2.7"),
        (&["for=192.0.2.7, for=\"unknown:80\";by=_a"], "192.0.2.7"),
        (&["for=192.0.2.7, proto=https"], "192.0.2.7"),
    ];
    check(&ClientIp::trusting_hops(2).forwarded(), &FORWARDED, &cases);
    let networks = ClientIp::trusting(Cidr::PRIVATE).forwarded();
    check(&networks, &FORWARDED, &[(&["for=192.0.2.7, for=_inner"], "10.0.0.1")]);
}

#[test]
fn only_the_one_field_is_read() {
    let mut both = request(Some(PROXY), &XFF, &["192.0.2.7"]);
    both.headers_mut().insert(FORWARDED, HeaderValue::from_static("for=192.0.2.8"));
    both.headers_mut().insert("x-real-ip", HeaderValue::from_static("192.0.2.9"));
    let ip = ClientIp::trusting_hops(1);
    assert_eq!(ip.address(&both), address("192.0.2.7"));
    assert_eq!(ip.clone().forwarded().address(&both), address("192.0.2.8"));
    let real = HeaderName::from_static("x-real-ip");
    assert_eq!(ip.field(real).address(&both), address("192.0.2.9"));
}

#[test]
fn hops_are_counted_even_where_the_peer_has_no_address() {
    let behind_a_socket = request(None, &XFF, &["6.6.6.6, 192.0.2.7"]);
    assert_eq!(ClientIp::trusting_hops(1).address(&behind_a_socket), address("192.0.2.7"));
    assert_eq!(ClientIp::trusting(Cidr::PRIVATE).address(&behind_a_socket), None);
    assert_eq!(ClientIp::new().key(&behind_a_socket), None);
}

#[test]
fn a_field_that_is_no_text_or_very_long_ends_the_walk() {
    let long = |unit: &str, end: &str| format!("{}{end}", unit.repeat((64 * 1024) / unit.len()));
    for (line, expected) in [
        (b"192.0.2.7, \xff\xfe".to_vec(), "10.0.0.1"),
        (b"\xff\xfe, 192.0.2.7".to_vec(), "192.0.2.7"),
        (b"192.0.2.\xd9\xa7".to_vec(), "10.0.0.1"),
        (long("1", "").into(), "10.0.0.1"),
        (long("6.6.6.6, ", "192.0.2.7").into(), "192.0.2.7"),
        (long(",", "").into(), "10.0.0.1"),
        (long("\"", ", 192.0.2.7").into(), "192.0.2.7"),
    ] {
        let ip = ClientIp::trusting_hops(1);
        assert_eq!(ip.address(&bytes(&XFF, &line)), address(expected));
    }
    for (line, expected) in [
        (b"for=\"\xff\xfe\"".to_vec(), "10.0.0.1"),
        (long("for=\"", ", for=192.0.2.7").into(), "192.0.2.7"),
        (long("\\", "\"").into(), "10.0.0.1"),
        (format!("for=\"{}\"", long("\\\"", "")).into(), "10.0.0.1"),
        (format!("a=\"{}\";for=192.0.2.7", long("\\\"", "")).into(), "192.0.2.7"),
    ] {
        let ip = ClientIp::trusting_hops(1).forwarded();
        assert_eq!(ip.address(&bytes(&FORWARDED, &line)), address(expected));
    }
}

#[test]
fn addresses_of_one_ipv6_network_are_one_client() {
    let key = |ip: &ClientIp, line| ip.key(&request(Some(PROXY), &XFF, &[line])).unwrap();
    let ip = ClientIp::trusting_hops(1);
    assert_eq!(key(&ip, "2001:db8::1"), key(&ip, "2001:db8::ffff:ffff:ffff:ffff"));
    assert_ne!(key(&ip, "2001:db8::1"), key(&ip, "2001:db8:0:1::1"));
    assert_ne!(key(&ip, "192.0.2.7"), key(&ip, "192.0.2.8"));
    assert_eq!(key(&ip, "192.0.2.7"), key(&ip, "::ffff:192.0.2.7"));

    let each = ip.clone().ipv6_prefix(128);
    assert_ne!(key(&each, "2001:db8::1"), key(&each, "2001:db8::2"));
    assert_eq!(key(&each, "2001:db8::1"), key(&ip.clone().ipv6_prefix(255), "2001:db8::1"));
    let all = ip.ipv6_prefix(0);
    assert_eq!(key(&all, "2001:db8::1"), key(&all, "3fff::1"));
    assert_ne!(key(&all, "192.0.2.7"), key(&all, "192.0.2.8"));
}

#[test]
fn the_peer_is_found_where_axum_puts_it() {
    let mut request = Request::new(());
    let peer: SocketAddr = "192.0.2.7:40000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let ip = ClientIp::new().peer(|extensions| Some(extensions.get::<ConnectInfo<_>>()?.0));
    assert_eq!(ip.address(&request), address("192.0.2.7"));
}

#[test]
fn a_token_is_known_in_whatever_case_its_scheme_is() {
    let key = |line: &str| ClientToken::new().key(&request(None, &AUTHORIZATION, &[line]));
    for same in ["Bearer abc", "bearer abc", "BEARER   abc"] {
        assert_eq!(key(same), Some(Key::of("abc")), "{same:?}");
    }
    for none in ["", "Bearer", "Bearer ", "abc", "Basic abc", "Bearer a b", "Bearera bc"] {
        assert_eq!(key(none), None, "{none:?}");
    }
}

#[test]
fn a_credential_that_is_there_twice_is_nobodys() {
    let twice = request(None, &AUTHORIZATION, &["Bearer a", "Bearer b"]);
    assert_eq!(ClientToken::new().key(&twice), None);
    let field = ClientField::new(AUTHORIZATION);
    assert_eq!(field.key(&twice), None);
    assert_eq!(field.key(&request(None, &AUTHORIZATION, &[" "])), None);
    let odd = field.key(&bytes(&AUTHORIZATION, b"\xff"));
    assert_eq!(odd, Some(field.key_of(b"\xff")));
}

#[test]
fn the_same_value_in_another_field_is_another_client() {
    let user = ClientField::new(HeaderName::from_static("x-user"));
    let tenant = ClientField::new(HeaderName::from_static("x-tenant"));
    assert_ne!(user.key_of("7"), tenant.key_of("7"));
}

#[test]
fn of_a_pair_the_first_that_knows_is_asked() {
    let pair = (ClientToken::new(), ClientIp::new());
    let mut both = request(Some(PROXY), &AUTHORIZATION, &["Bearer abc"]);
    assert_eq!(pair.key(&both), Some(Key::of("abc")));
    both.headers_mut().remove(AUTHORIZATION);
    assert_eq!(pair.key(&both), ClientIp::new().key(&both));
    assert!(pair.key(&both).is_some());
}

/// What a client may send: any lines at all, and such as look like the real thing.
fn sent() -> impl Strategy<Value = Vec<HeaderValue>> {
    let line = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[ ,;=\"\\\\a-f0-9.:\\[\\]_]{0,40}".prop_map(String::into_bytes),
        "((for=)?\"?(10\\.0\\.0\\.2|6\\.6\\.6\\.6|\\[::1\\]|_a|unknown)\"?[,;] ?){0,4}"
            .prop_map(String::into_bytes),
    ];
    let value = line.prop_filter_map("a field value", |bytes| HeaderValue::from_bytes(&bytes).ok());
    prop::collection::vec(value, 0..4)
}

proptest! {
    #[test]
    fn reading_a_field_never_panics(lines in sent(), hops: u32, token: Vec<u8>) {
        for (name, ip) in [
            (XFF, ClientIp::trusting_hops(hops)),
            (FORWARDED, ClientIp::trusting_hops(hops).forwarded()),
            (FORWARDED, ClientIp::trusting(Cidr::PRIVATE).forwarded()),
        ] {
            let mut request = request(Some(PROXY), &name, &[]);
            append(&mut request, &name, &lines);
            let _ = (ip.address(&request), ip.key(&request));
        }
        if let Ok(value) = HeaderValue::from_bytes(&token) {
            let mut request = Request::new(());
            request.headers_mut().insert(AUTHORIZATION, value);
            let _ = ClientToken::new().key(&request);
        }
    }

    #[test]
    fn a_client_never_chooses_its_identity_by_what_it_sends(
        lines in sent(),
        client: IpAddr,
        proxies in prop::collection::vec((any::<u16>(), any::<bool>()), 0..4),
        forwarded: bool,
        ports: bool,
    ) {
        let client = client.to_canonical();
        prop_assume!(!Cidr::v4::<8>([10, 0, 0, 0]).contains(client));
        let name = if forwarded { FORWARDED } else { XFF };
        let mut request = Request::new(());
        append(&mut request, &name, &lines);

        // Each proxy appends from whom it got the request, to the last line or on a line of its own.
        let mut from = client;
        for (host, own_line) in &proxies {
            let node = written(from, forwarded, ports);
            let [high, low] = host.to_be_bytes();
            from = IpAddr::from([10, 1, high, low]);
            let before = request.headers().get_all(&name).iter().next_back().cloned();
            let line = match before.filter(|_| !own_line) {
                Some(before) => {
                    let mut lines: Vec<_> = request.headers().get_all(&name).iter().cloned().collect();
                    lines.pop();
                    request.headers_mut().remove(&name);
                    append(&mut request, &name, &lines);
                    [before.as_bytes(), b", ", node.as_bytes()].concat()
                }
                None => node.into_bytes(),
            };
            request.headers_mut().append(&name, HeaderValue::from_bytes(&line).unwrap());
        }
        request.extensions_mut().insert(PeerAddr(SocketAddr::new(from, 1)));

        let hops = ClientIp::trusting_hops(u32::try_from(proxies.len()).unwrap());
        let networks = ClientIp::trusting([Cidr::v4::<8>([10, 0, 0, 0])]);
        for ip in [hops, networks] {
            let ip = if forwarded { ip.forwarded() } else { ip };
            prop_assert_eq!(ip.address(&request), Some(client));
        }
    }
}

/// An address as a proxy writes it.
fn written(address: IpAddr, forwarded: bool, port: bool) -> String {
    let node = match (address, port) {
        (_, true) => SocketAddr::new(address, 4711).to_string(),
        (IpAddr::V6(address), false) if forwarded => format!("[{address}]"),
        (address, false) => address.to_string(),
    };
    if forwarded { format!("proto=https;for=\"{node}\";host=\"a,b\\\"\"") } else { node }
}

#[track_caller]
fn check(ip: &ClientIp, name: &HeaderName, cases: &[Case]) {
    for (lines, expected) in cases {
        let request = request(Some(PROXY), name, lines);
        assert_eq!(ip.address(&request), address(expected), "{name}: {lines:?}");
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn request(peer: Option<&str>, name: &HeaderName, lines: &[&str]) -> Request<()> {
    let mut request = Request::new(());
    if let Some(peer) = peer {
        request.extensions_mut().insert(PeerAddr(peer.parse().unwrap()));
    }
    for line in lines {
        request.headers_mut().append(name, line.parse().unwrap());
    }
    request
}

fn bytes(name: &HeaderName, line: &[u8]) -> Request<()> {
    let mut request = request(Some(PROXY), name, &[]);
    append(&mut request, name, &[HeaderValue::from_bytes(line).unwrap()]);
    request
}

fn append(request: &mut Request<()>, name: &HeaderName, lines: &[HeaderValue]) {
    for line in lines {
        request.headers_mut().append(name, line.clone());
    }
}
