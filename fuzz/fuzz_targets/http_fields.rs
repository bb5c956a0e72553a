//! Every parser of `tower-ballast-http`: a request, a response, and a network, as text.
//!
//! Whatever the fields say, nothing panics, nobody chooses who they are, and what is written is read back.

#![no_main]

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use tower_ballast_core::{Attempt, Classify, Deadline, Facts, Key, Mark, Operation, Verdict};
use tower_ballast_fuzz::head::{Head, heads};
use tower_ballast_http::{
    ByAuthority, ByMethod, Cidr, ClientField, ClientIp, ClientToken, HttpClassify, HttpFacts,
    HttpRequest, Idempotent, Identity, PeerAddr, read_retry_after, write_retry_after,
};

const CLIENT: &str = "192.0.2.7";
const PROXY: &str = "10.0.0.1";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

fuzz_target!(|text: &[u8]| {
    let mut heads = heads(text).into_iter();
    let (request, response) = (heads.next().unwrap_or_default(), heads.next().unwrap_or_default());
    let network = heads.next().unwrap_or_default();
    if let Some(request) = request.request() {
        nobody_chooses_who_they_are(&request);
        what_is_known_is_marked(request);
    }
    what_comes_is_judged(&response);
    a_network_is_read_as_it_is_written(&network);
});

/// What trusted hops append counts, whatever stands before it.
fn nobody_chooses_who_they_are(request: &Request<()>) {
    let (client, proxy): (IpAddr, IpAddr) =
        (CLIENT.parse().expect("an address"), PROXY.parse().expect("an address"));
    let trusted = [ClientIp::trusting_hops(1), ClientIp::trusting(Cidr::PRIVATE)];
    for (name, forwarded) in [(FORWARDED_FOR, false), (http::header::FORWARDED, true)] {
        let node = if forwarded { format!("for={CLIENT}") } else { CLIENT.to_owned() };
        let before = request.headers().get_all(&name).iter().next_back().cloned();
        let same_line =
            [before.as_ref().map_or(&b""[..], HeaderValue::as_bytes), b", ", node.as_bytes()];
        let lines =
            [HeaderValue::from_bytes(&same_line.concat()), HeaderValue::try_from(node.as_str())];
        for line in lines.into_iter().flatten() {
            let mut request = request.clone();
            request.extensions_mut().insert(PeerAddr(SocketAddr::new(proxy, 1)));
            request.headers_mut().append(&name, line);
            for ip in trusted.clone() {
                let ip = if forwarded { ip.forwarded() } else { ip };
                assert_eq!(ip.address(&request), Some(client));
                assert!(ip.key(&request).is_some());
            }
            let _ = ClientIp::trusting_hops(u32::MAX).field(name.clone()).address(&request);
            let _ = ClientIp::trusting_hops(3).forwarded().network(&request);
        }
    }
}

fn what_is_known_is_marked(mut request: Request<()>) {
    let _ = ClientToken::new().key(&request);
    let _ = ClientField::new(http::header::AUTHORIZATION).key(&request);
    let _ = (ByMethod.name(&request), ByAuthority.name(&request));
    let _ = Idempotent::new().is_repeatable(&request);
    let stranger = HttpFacts::new();
    assert_eq!((stranger.deadline(&request), stranger.priority(&request)), (None, None));
    let facts = HttpFacts::new().trusted_sender().grpc_fields();
    let _ = facts.priority(&request);
    let before = facts.deadline(&request);
    facts.mark(&mut request, Mark::Attempt(Attempt::number(2)));
    assert_eq!(facts.attempt(&request), Some(Attempt::number(2)));
    let deadline = before.unwrap_or_else(|| Deadline::after(Duration::MAX));
    facts.mark(&mut request, Mark::Deadline(deadline));
    assert_eq!(facts.deadline(&request), Some(deadline));
    request.extensions_mut().clear();
    assert_eq!(stranger.key(&request), None::<Key>);
    assert!(HttpRequest::authority(&request).is_none_or(|authority| !authority.contains('@')));
}

fn what_comes_is_judged(head: &Head<'_>) {
    let mut response = Response::new(());
    *response.status_mut() = head.status();
    response.headers_mut().clone_from(&head.fields);
    let outcome: Result<_, &Infallible> = Ok(&response);
    let verdict: Verdict =
        Classify::<Request<()>, _, _>::verdict(&HttpClassify::new(), &(), outcome);
    let is_grpc = head.fields.contains_key("grpc-status");
    assert!(is_grpc || head.status() != StatusCode::OK || verdict.is_success());

    let Some(wait) = read_retry_after(&head.fields) else { return };
    let mut written = http::HeaderMap::new();
    write_retry_after(&mut written, wait);
    let read = read_retry_after(&written).expect("what is written is read");
    // More milliseconds than there are numbers are the most that there are.
    assert!(read == wait || wait.as_millis() > u64::MAX.into());
}

fn a_network_is_read_as_it_is_written(head: &Head<'_>) {
    let Ok(text) = std::str::from_utf8(head.first) else { return };
    let Ok(network) = Cidr::try_new("fuzzed", text) else { return };
    let written = network.to_string();
    assert_eq!(Cidr::try_new("fuzzed", &written), Ok(network));
    let address = written.split('/').next().and_then(|address| address.parse().ok());
    assert!(address.is_some_and(|address| network.contains(address)));
}
