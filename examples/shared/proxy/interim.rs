//! What the upstream says before its answer.

use std::{sync::Arc, time::Duration};

use http::{
    Request, StatusCode,
    header::{EXPECT, HeaderMap},
};
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::{Timeout, timeout},
};

use super::{super::listener::Interim, fields};

/// How long a body is held back for an upstream that may never say a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ready when the body may be sent.
pub(super) type Leave = Timeout<OwnedNotified>;

/// Passes interim answers on to the caller (RFC 9110, section 15.2), and holds back the body of one
/// that expects `100 Continue` until the upstream has said so (section 10.1.1).
///
/// The caller gets its own `100 Continue` from the server, when the body is first asked for.
pub(super) fn listen<B>(request: &mut Request<B>) -> Option<Leave> {
    let caller = request.extensions().get::<Interim>().cloned();
    if caller.is_none() {
        // A caller of HTTP/1.0 sends its body at once, whatever it says.
        request.headers_mut().remove(EXPECT);
    }
    let waits = expects_continue(request.headers()).then(|| Arc::new(Notify::new()));
    let leave = waits.clone().map(|waits| timeout(PATIENCE, waits.notified_owned()));
    hyper::ext::on_informational(request, move |answer| match &waits {
        Some(waits) if answer.status() == StatusCode::CONTINUE => waits.notify_one(),
        _ => {
            if let Some(caller) = &caller {
                let mut headers = answer.headers().clone();
                fields::strip_hop_by_hop(&mut headers);
                caller.send(answer.status(), &headers);
            }
        }
    });
    leave
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
