//! What the command line may say.

use std::net::SocketAddr;

use http::uri::Authority;
use tower_ballast::cache::store::Capacity;
use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};

use super::flags::Flags;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
A caching reverse proxy made of tower-ballast's layers.

Usage:
  caching_proxy --listen ADDR --upstream URL [options]
      Answers from memory what the rules of HTTP allow, and asks the upstream for the rest,
      until interrupted; then lets running requests end.

Options:
  --listen ADDR     address and port to listen on, such as 127.0.0.1:8080 (port 0: any free one)
  --upstream URL    where requests go, such as http://127.0.0.1:9000 (plain HTTP)
  --private         caches for one user only: stores what is `private` and what answers to
                    `Authorization`
  --lenient         takes for true what an upstream seems to mean: parts that are shorter than
                    they say, and pages without a date of change that were asked for by one
  --max-bytes N     memory for kept answers, in bytes: 65536 or more, or 0, which keeps nothing;
                    268435456 (256 MiB) when not given
  --no-cache        keeps nothing
  --help            this text
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Serve(Serve),
}

/// A proxy in front of somebody's upstream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Serve {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: Authority,
    pub(crate) cache: Option<Cache>,
}

/// What is kept, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cache {
    pub(crate) private: bool,
    pub(crate) lenient: bool,
    pub(crate) max_bytes: u64,
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
///
/// A sentence for the user, when they make no sense.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let (mut listen, mut upstream, mut max_bytes) = (None, None, None);
    let (mut private, mut lenient, mut nothing) = (false, false, false);
    let mut flags = Flags::new(args);
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--listen" => {
                let address = flags.address()?;
                flags.set(&mut listen, address)?;
            }
            "--upstream" => {
                let server = flags.server()?;
                flags.set(&mut upstream, server)?;
            }
            "--max-bytes" => {
                let bytes = bytes(&flags.value("a number of bytes")?)?;
                flags.set(&mut max_bytes, bytes)?;
            }
            "--private" => private = flags.alone()?,
            "--lenient" => lenient = flags.alone()?,
            "--no-cache" => nothing = flags.alone()?,
            _ => return Err(format!("unknown argument `{flag}`")),
        }
    }
    if nothing && (private || lenient || max_bytes.is_some()) {
        return Err("--no-cache leaves nothing for the other flags to say".to_owned());
    }
    let max_bytes = max_bytes.unwrap_or(256 * 1024 * 1024);
    let cache = (!nothing).then_some(Cache { private, lenient, max_bytes });
    match (listen, upstream) {
        (Some(listen), Some(upstream)) => Ok(Command::Serve(Serve { listen, upstream, cache })),
        (None, _) => Err("--listen ADDR is missing".to_owned()),
        (_, None) => Err("--upstream URL is missing".to_owned()),
    }
}

/// So many bytes, if a cache of that size makes sense.
fn bytes(text: &str) -> Result<u64, String> {
    let bytes = text.parse();
    let bytes = bytes.map_err(|_| {
        format!("--max-bytes: `{text}` is not a number of bytes from 0 to {}", u64::MAX)
    })?;
    let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::of_bytes(bytes));
    let checked = layer.checked().map(|_| bytes);
    checked.map_err(|why| format!("--max-bytes is {}, must be {}", why.value(), why.range()))
}
