//! What the command line may say.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;

use super::flags::Flags;

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
    let mut flags = Flags::new(args);
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--listen" => {
                let address = flags.address()?;
                flags.set(&mut listen, address)?;
            }
            "--admin" => {
                let address = flags.address()?;
                flags.set(&mut admin, address)?;
            }
            "--upstream" => {
                let server = flags.server()?;
                flags.set(&mut upstream, server)?;
            }
            "--trust" => trusted.push(peer(&flags.value("an IP address")?)?),
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

fn peer(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("--trust: `{text}` is not an IP address"))
}
