//! Heads of messages, as text that a fuzzer changes and a person reads.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

/// A first line, and fields. What is no field is left out.
#[derive(Debug, Clone, Default)]
pub struct Head<'a> {
    /// The first line.
    pub first: &'a [u8],
    /// The fields, every line of them.
    pub fields: HeaderMap,
}

/// The heads that a text holds, parted by empty lines.
pub fn heads(text: &[u8]) -> Vec<Head<'_>> {
    let mut heads = Vec::new();
    let mut lines = text.split(|&byte| byte == b'\n');
    while let Some(first) = lines.next() {
        let mut fields = HeaderMap::new();
        for (name, value) in lines.by_ref().take_while(|line| !line.is_empty()).filter_map(field) {
            // More than a map holds are left out too.
            let _ = fields.try_append(name, value);
        }
        heads.push(Head { first, fields });
    }
    heads
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}

impl Head<'_> {
    /// The method before the first space of the first line; GET if that is none.
    #[must_use]
    pub fn method(&self) -> Method {
        let word = self.first.split(|&byte| byte == b' ').next();
        word.and_then(|word| Method::from_bytes(word).ok()).unwrap_or_default()
    }

    /// The target after the first space of the first line.
    #[must_use]
    pub fn target(&self) -> Option<Uri> {
        let space = self.first.iter().position(|&byte| byte == b' ')?;
        Uri::try_from(&self.first[space + 1..]).ok()
    }

    /// The status in the first line; 200 if that is none.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_bytes(self.first).unwrap_or_default()
    }

    /// A number in the first line, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.first).ok()?.parse().ok()
    }

    /// The request that it is the head of.
    #[must_use]
    pub fn request(&self) -> Option<http::Request<()>> {
        let mut request = http::Request::new(());
        *request.method_mut() = self.method();
        *request.uri_mut() = self.target()?;
        request.headers_mut().clone_from(&self.fields);
        Some(request)
    }
}
