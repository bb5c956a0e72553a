//! What layers may know of an HTTP request.

use std::fmt;

use http::{HeaderName, HeaderValue};
use tower_ballast_core::{Attempt, Deadline, Facts, Key, Mark, Priority, clock};

use crate::{HttpRequest, client::Identity, grpc, retry_after::number};

/// Knows of an HTTP request what its extensions say, and leaves marks there.
///
/// A [`Deadline`], [`Priority`], [`Key`] or [`Attempt`] among the extensions is read by every
/// layer that is given these facts. Nothing is read from header fields, which clients can forge,
/// until the sender is [trusted](HttpFacts::trusted_sender).
///
/// Whose request it is, where no extension says so, tells a [`client`](HttpFacts::client).
///
/// Whether a request may be repeated is not known here: use [`Idempotent`](crate::Idempotent) to
/// go by method and `Idempotency-Key`, or add a rule of your own to these facts with
/// [`Known`](tower_ballast_core::Known).
///
/// The first mark on a request without extensions makes three allocations, a later one of
/// another kind one. Requests of reqwest have no extensions: neither are marks of theirs kept
/// nor anything read that is not in a field.
///
/// ```
/// use tower_ballast_core::{Facts, Priority};
/// use tower_ballast_http::HttpFacts;
///
/// let mut request = http::Request::get("/checkout").header("priority", "u=0").body(()).unwrap();
/// assert_eq!(HttpFacts::new().priority(&request), None);
/// assert_eq!(HttpFacts::new().trusted_sender().priority(&request), Some(Priority::High));
///
/// request.extensions_mut().insert(Priority::Batch);
/// assert_eq!(HttpFacts::new().trusted_sender().priority(&request), Some(Priority::Batch));
/// ```
#[derive(Clone)]
pub struct HttpFacts<C = ()> {
    trusted: bool,
    priority: HeaderName,
    grpc: bool,
    client: C,
}

impl HttpFacts {
    /// Reads and writes extensions, and trusts no header field.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            trusted: false,
            priority: HeaderName::from_static("priority"),
            grpc: false,
            client: (),
        }
    }
}

impl<C> HttpFacts<C> {
    /// Your word that whoever sends the requests is one of your own: a `grpc-timeout` field then
    /// sets the deadline and a priority field the priority, where extensions do not.
    #[must_use]
    pub const fn trusted_sender(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// The field that a trusted sender's priority is read from. Default: `priority`.
    ///
    /// Understood are the words `high`, `medium`, `low` and `batch`, and the urgency of
    /// [RFC 9218](https://www.rfc-editor.org/rfc/rfc9218#section-4.1): `u=0` and `u=1` are high,
    /// up to 4 medium, 5 and 6 low, and 7 is for batches.
    #[must_use]
    pub fn priority_field(mut self, name: HeaderName) -> Self {
        self.priority = name;
        self
    }

    /// Also writes on gRPC requests what the next hop should know: what remains of the deadline
    /// as `grpc-timeout`, unless a shorter one is there, and from the second attempt on
    /// `grpc-previous-rpc-attempts`. Default: not written.
    #[must_use]
    pub const fn grpc_fields(mut self) -> Self {
        self.grpc = true;
        self
    }

    /// Whose request it is, where no [`Key`] among the extensions says so: by address, token or
    /// field, or by a closure `Fn(&R) -> Option<Key>`. Default: nobody's.
    ///
    /// ```
    /// use tower_ballast_core::Facts;
    /// use tower_ballast_http::{ClientIp, HttpFacts, PeerAddr};
    ///
    /// let known = HttpFacts::new().client(ClientIp::trusting_hops(1));
    /// let mut request = http::Request::get("/").header("x-forwarded-for", "192.0.2.7").body(()).unwrap();
    /// request.extensions_mut().insert(PeerAddr("10.0.0.1:40000".parse().unwrap()));
    /// assert!(known.key(&request).is_some());
    /// ```
    #[must_use]
    pub fn client<D>(self, client: D) -> HttpFacts<D> {
        HttpFacts { trusted: self.trusted, priority: self.priority, grpc: self.grpc, client }
    }

    fn extension<T: Copy + Send + Sync + 'static>(request: &impl HttpRequest) -> Option<T> {
        request.extensions()?.get().copied()
    }

    fn field<'a, R: HttpRequest>(
        &self,
        request: &'a R,
        name: &HeaderName,
    ) -> Option<&'a HeaderValue> {
        request.headers().get(name).filter(|_| self.trusted)
    }
}

impl Default for HttpFacts {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: HttpRequest, C: Identity<R>> Facts<R> for HttpFacts<C> {
    fn deadline(&self, request: &R) -> Option<Deadline> {
        // A timeout in a field is relative, so the moment it was turned into goes before it.
        Self::extension(request).or_else(|| {
            let timeout = self.field(request, &grpc::TIMEOUT)?;
            grpc::parse_timeout(timeout.as_bytes()).map(Deadline::after)
        })
    }

    fn priority(&self, request: &R) -> Option<Priority> {
        Self::extension(request)
            .or_else(|| parse_priority(self.field(request, &self.priority)?.to_str().ok()?))
    }

    fn key(&self, request: &R) -> Option<Key> {
        Self::extension(request).or_else(|| self.client.key(request))
    }

    fn attempt(&self, request: &R) -> Option<Attempt> {
        Self::extension(request)
    }

    fn mark(&self, request: &mut R, mark: Mark) {
        match mark {
            Mark::Attempt(attempt) => insert(request, attempt),
            Mark::Deadline(deadline) => insert(request, deadline),
            _ => {}
        }
        if self.grpc && grpc::is_grpc(request.headers()) {
            write_grpc_fields(request, mark);
        }
    }
}

impl<C> fmt::Debug for HttpFacts<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFacts")
            .field("trusted", &self.trusted)
            .field("priority", &self.priority)
            .field("grpc", &self.grpc)
            .finish_non_exhaustive()
    }
}

fn insert<T: Clone + Send + Sync + 'static>(request: &mut impl HttpRequest, value: T) {
    if let Some(extensions) = request.extensions_mut() {
        extensions.insert(value);
    }
}

fn write_grpc_fields(request: &mut impl HttpRequest, mark: Mark) {
    let headers = request.headers_mut();
    match mark {
        Mark::Attempt(attempt) if attempt.number > 1 => {
            headers.insert(grpc::PREVIOUS, number(u64::from(attempt.number - 1)));
        }
        Mark::Deadline(deadline) => {
            let left = deadline.remaining(clock::now());
            let stated = headers.get(&grpc::TIMEOUT).map(HeaderValue::as_bytes);
            if stated.and_then(grpc::parse_timeout).is_none_or(|stated| left < stated) {
                headers.insert(grpc::TIMEOUT, grpc::timeout_value(left));
            }
        }
        _ => {}
    }
}

fn parse_priority(text: &str) -> Option<Priority> {
    let text = text.trim();
    let word = Priority::ALL.into_iter().find(|known| text.eq_ignore_ascii_case(known.as_str()));
    word.or_else(|| {
        let urgency = text.split(',').find_map(|member| member.trim().strip_prefix("u="))?;
        match urgency.split(';').next()?.parse::<u8>().ok()? {
            0..=1 => Some(Priority::High),
            2..=4 => Some(Priority::Medium),
            5..=6 => Some(Priority::Low),
            7 => Some(Priority::Batch),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Request, header::CONTENT_TYPE};
    use proptest::prelude::*;

    use super::*;
    use crate::ClientField;

    fn grpc() -> Request<()> {
        Request::post("/shop.Cart/Add").header(CONTENT_TYPE, "application/grpc").body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_field_of_a_stranger_is_not_believed() {
        let mut request = grpc();
        request.headers_mut().insert(grpc::TIMEOUT, HeaderValue::from_static("3S"));
        assert_eq!(HttpFacts::new().deadline(&request), None);
        let expected = Deadline::after(Duration::from_secs(3));
        assert_eq!(HttpFacts::new().trusted_sender().deadline(&request), Some(expected));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_once_taken_from_a_field_does_not_move() {
        let facts = HttpFacts::new().trusted_sender();
        let mut request = grpc();
        request.headers_mut().insert(grpc::TIMEOUT, HeaderValue::from_static("3S"));
        let deadline = facts.deadline(&request).unwrap();
        facts.mark(&mut request, Mark::Deadline(deadline));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(facts.deadline(&request), Some(deadline));
    }

    #[test]
    fn what_was_marked_is_known_inside() {
        let facts = HttpFacts::new();
        let mut request = grpc();
        let attempt = Attempt { number: 3, last: true };
        facts.mark(&mut request, Mark::Attempt(attempt));
        request.extensions_mut().insert(Key::of("tenant-7"));
        assert_eq!(facts.attempt(&request), Some(attempt));
        assert_eq!(facts.key(&request), Some(Key::of("tenant-7")));
        assert!(!request.headers().contains_key(grpc::PREVIOUS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_grpc_request_tells_the_next_hop_its_attempt_and_what_is_left() {
        let facts = HttpFacts::new().grpc_fields();
        let mut request = grpc();
        facts.mark(&mut request, Mark::Attempt(Attempt::number(1)));
        assert!(!request.headers().contains_key(grpc::PREVIOUS));
        facts.mark(&mut request, Mark::Attempt(Attempt::number(2)));
        facts.mark(&mut request, Mark::Deadline(Deadline::after(Duration::from_millis(40))));
        assert_eq!(request.headers()[grpc::PREVIOUS], "1");
        assert_eq!(request.headers()[grpc::TIMEOUT], "40000000n");

        facts.mark(&mut request, Mark::Deadline(Deadline::after(Duration::from_secs(9))));
        assert_eq!(request.headers()[grpc::TIMEOUT], "40000000n", "never made longer");
    }

    #[test]
    fn other_requests_get_no_grpc_fields() {
        let mut request = Request::get("/").body(()).unwrap();
        HttpFacts::new().grpc_fields().mark(&mut request, Mark::Attempt(Attempt::number(2)));
        assert!(request.headers().is_empty());
    }

    #[test]
    fn a_key_among_the_extensions_goes_before_the_client() {
        let mut request = Request::get("/").header("x-user", "7").body(()).unwrap();
        let user = ClientField::new(HeaderName::from_static("x-user"));
        let facts = HttpFacts::new().client(user.clone());
        assert_eq!(HttpFacts::new().key(&request), None);
        assert_eq!(facts.key(&request), Some(user.key_of("7")));
        request.extensions_mut().insert(Key::of("tenant-7"));
        assert_eq!(facts.key(&request), Some(Key::of("tenant-7")));
    }

    #[test]
    fn priorities_are_read_as_words_and_as_urgency() {
        for (text, expected) in [
            ("HIGH", Some(Priority::High)),
            ("batch", Some(Priority::Batch)),
            ("u=1, i", Some(Priority::High)),
            ("i, u=3", Some(Priority::Medium)),
            ("u=5", Some(Priority::Low)),
            ("u=7;x", Some(Priority::Batch)),
            ("u=8", None),
            ("u=-1", None),
            ("urgent", None),
            ("", None),
        ] {
            assert_eq!(parse_priority(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_priority_never_panics(text: String) {
            let _ = parse_priority(&text);
        }
    }
}
