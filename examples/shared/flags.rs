//! Reads a command line, flag by flag.

use std::net::SocketAddr;

use http::{Uri, uri::Authority};

/// The arguments that follow a program's name.
#[derive(Debug)]
pub(crate) struct Flags<I> {
    args: I,
    flag: String,
    attached: Option<String>,
}

impl<I: Iterator<Item = String>> Flags<I> {
    pub(crate) fn new(args: impl IntoIterator<IntoIter = I>) -> Self {
        Self { args: args.into_iter(), flag: String::new(), attached: None }
    }

    /// The next flag, without the value that may be attached to it.
    pub(crate) fn next(&mut self) -> Option<String> {
        let arg = self.args.next()?;
        (self.flag, self.attached) = match arg.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        Some(self.flag.clone())
    }

    /// The flag's value: `--flag value` or `--flag=value`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn value(&mut self, what: &str) -> Result<String, String> {
        let next = || self.args.next().filter(|next| !next.starts_with("--"));
        let value = self.attached.take().or_else(next);
        value.ok_or_else(|| format!("{} needs a value: {what}", self.flag))
    }

    /// True for a flag that stands alone.
    ///
    /// # Errors
    ///
    /// When it has a value attached.
    #[allow(dead_code, reason = "not every example has such flags")]
    pub(crate) fn alone(&self) -> Result<bool, String> {
        match self.attached {
            None => Ok(true),
            Some(_) => Err(format!("{} takes no value", self.flag)),
        }
    }

    /// The flag's value, read as an address and port.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn address(&mut self) -> Result<SocketAddr, String> {
        let text = self.value("an address and port")?;
        text.parse().map_err(|_| {
            let flag = &self.flag;
            format!("{flag}: `{text}` is not an IP address and port, such as 127.0.0.1:8080")
        })
    }

    /// The flag's value, read as the URL of a plain HTTP server.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn server(&mut self) -> Result<Authority, String> {
        let text = self.value("a URL")?;
        server(&text)
            .map_err(|why| format!("{}: `{text}` {why}, such as http://127.0.0.1:9000", self.flag))
    }

    /// Puts what the flag says into its place.
    ///
    /// # Errors
    ///
    /// When the flag was there before.
    pub(crate) fn set<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), String> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(format!("{} is given twice", self.flag)),
        }
    }
}

fn server(text: &str) -> Result<Authority, &'static str> {
    let url: Uri = text.parse().map_err(|_| "is not a URL")?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err("is not a URL with scheme and host");
    };
    match scheme {
        "http" => {}
        "https" => return Err("asks for TLS, which this example does not speak; give a plain URL"),
        _ => return Err("is not an HTTP URL"),
    }
    let port_is_wrong =
        authority.as_str().len() > authority.host().len() && authority.port_u16().is_none();
    if authority.host().is_empty() || authority.as_str().contains('@') || port_is_wrong {
        return Err("does not name a host and port");
    }
    if url.path() != "/" || url.query().is_some() {
        return Err("has a path; give scheme, host and port alone");
    }
    Ok(authority.clone())
}
