//! What the command line may say.

use std::net::{IpAddr, SocketAddr};

use http::{Uri, uri::Authority};

/// The text of `--help`.
pub(crate) const HELP: &str = "\
A reverse proxy under the protection of tower-ballast.

Usage:
  gateway
      Shows a storm: a load, an upstream that fails, and this gateway between them, all in one
      process on loopback. First with protection off, then on. Takes about 70 seconds; exits
      with 0 when the protected run kept its promises and with 1 when it broke one.

  gateway --listen ADDR --upstream URL [--admin ADDR] [--trust IP]...
      Protects an upstream of yours until interrupted, then lets running requests end.

Options:
  --listen ADDR     address and port to listen on, such as 127.0.0.1:8080 (port 0: any free one)
  --upstream URL    where requests go, such as http://127.0.0.1:9000 (plain HTTP)
  --admin ADDR      serves /metrics for Prometheus and /stats as JSON there; keep it private
  --trust IP        a peer whose X-Forwarded-* fields are passed on; may be given again
  --help            this text
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demonstrate,
    Protect(Protect),
}

/// A gateway in front of somebody's upstream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Protect {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: Authority,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) trusted: Vec<IpAddr>,
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
///
/// A sentence for the user, when they make no sense.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let (mut listen, mut upstream, mut admin) = (None, None, None);
    let mut trusted = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let (flag, attached) = match arg.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        let mut value = |what: &str| {
            let value =
                attached.clone().or_else(|| args.next().filter(|next| !next.starts_with("--")));
            value.ok_or_else(|| format!("{flag} needs a value: {what}"))
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--listen" => {
                once(&mut listen, &flag, address(&flag, &value("an address and port")?)?)?;
            }
            "--admin" => once(&mut admin, &flag, address(&flag, &value("an address and port")?)?)?,
            "--upstream" => once(&mut upstream, &flag, authority(&value("a URL")?)?)?,
            "--trust" => trusted.push(peer(&value("an IP address")?)?),
            _ => return Err(format!("unknown argument `{flag}`")),
        }
    }
    match (listen, upstream) {
        (Some(listen), Some(upstream)) => {
            Ok(Command::Protect(Protect { listen, upstream, admin, trusted }))
        }
        (None, None) if trusted.is_empty() && admin.is_none() => Ok(Command::Demonstrate),
        (None, _) => Err("--listen ADDR is missing".to_owned()),
        (_, None) => Err("--upstream URL is missing".to_owned()),
    }
}

fn once<T>(slot: &mut Option<T>, flag: &str, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{flag} is given twice")),
    }
}

fn address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{flag}: `{text}` is not an IP address and port, such as 127.0.0.1:8080")
    })
}

fn peer(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("--trust: `{text}` is not an IP address"))
}

fn authority(text: &str) -> Result<Authority, String> {
    let wrong = |why: &str| format!("--upstream: `{text}` {why}, such as http://127.0.0.1:9000");
    let url: Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(wrong("is not a URL with scheme and host"));
    };
    match scheme {
        "http" => {}
        "https" => {
            return Err(wrong("asks for TLS, which this example does not speak; give a plain URL"));
        }
        _ => return Err(wrong("is not an HTTP URL")),
    }
    let port_is_wrong =
        authority.as_str().len() > authority.host().len() && authority.port_u16().is_none();
    if authority.host().is_empty() || authority.as_str().contains('@') || port_is_wrong {
        return Err(wrong("does not name a host and port"));
    }
    if url.path() != "/" || url.query().is_some() {
        return Err(wrong("has a path; give scheme, host and port alone"));
    }
    Ok(authority.clone())
}
