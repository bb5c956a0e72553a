//! Fields in memory of their own.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};

/// The same fields, whose values lie together in memory that is theirs alone: as they came they were cut from the buffer
/// that the connection was read into, and a few bytes of them would keep all of that.
pub(super) fn own(mut headers: HeaderMap) -> HeaderMap {
    let length = headers.values().map(HeaderValue::len).sum();
    let mut all = BytesMut::with_capacity(length);
    headers.values().for_each(|value| all.extend_from_slice(value.as_bytes()));
    let mut rest: Bytes = all.freeze();
    for value in headers.values_mut() {
        let own = HeaderValue::from_maybe_shared(rest.split_to(value.len()));
        if let Ok(mut own) = own {
            own.set_sensitive(value.is_sensitive());
            *value = own;
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_keeps_nothing_of_the_buffer_that_it_came_in() {
        let buffer = Bytes::from(b"one, two, and what else came".to_vec());
        let values = [buffer.slice(..3), buffer.slice(5..8), Bytes::new()];
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x", HeaderValue::from_maybe_shared(value).unwrap());
        }
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        headers.append("y", secret);
        let same = headers.clone();
        let owned = own(headers);
        assert_eq!(owned, same);
        assert!(owned["y"].is_sensitive());
        drop(same);
        assert!(buffer.is_unique());
    }
}
