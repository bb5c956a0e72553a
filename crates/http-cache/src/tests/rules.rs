//! The rules of the RFCs as a table, by section: requests and replies through the layer, on paused time.
//!
//! ```text
//! # 9111 4.2.1 | a sentence on the rule
//! with private                       how the cache is set
//! takes 2                            how many seconds each reply takes from now on
//! > GET /path | name: value          what a client asks; `>>`: two clients at the same time
//! < 200 | name: value | body: text   what the origin replies; once for each request that reaches it
//! < down                             it cannot be reached
//! = 200 hit !stored | name: value    what the client gets: words of `Cache-Status`, fields, none where nothing follows
//! sent | name: value                 what reached the origin last
//! wait 5                             seconds go by
//! ```
//!
//! `@-5` is the date five seconds before a row begins.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};
use tower_ballast_core::{BoxError, clock};

use super::origin::{Answer, Nothing, Origin, Reply, read, text};
use crate::{
    CompleteParts, HttpCache, HttpCacheLayer,
    engine::{Cookies, Rules},
};

const TABLE: &str = include_str!("rules.txt");

/// Every section that says what a cache does, with what is held to it here; not those that are for origins and clients.
const SECTIONS: [(&str, &str); 62] = [
    ("9110 5.6.1", "empty members of lists are none"),
    ("9110 5.6.7", "dates in three forms"),
    ("9110 7.6.1", "fields of the connection"),
    ("9110 9.2.2", "methods that are not safe go on"),
    ("9110 9.3.1", "a GET with a body"),
    ("9110 9.3.2", "HEAD"),
    ("9110 9.3.3", "POST"),
    ("9110 9.3.6", "CONNECT, and TRACE"),
    ("9110 7.8", "Upgrade"),
    ("9110 13.1.1", "If-Match"),
    ("9110 13.1.2", "If-None-Match"),
    ("9110 13.1.3", "If-Modified-Since"),
    ("9110 13.1.5", "If-Range"),
    ("9110 13.2.2", "the order of conditions"),
    ("9110 14.2", "Range"),
    ("9110 15.2", "interim answers"),
    ("9111 2", "the key"),
    ("9111 3", "what is kept"),
    ("9111 3.1", "which fields are kept"),
    ("9111 3.2", "which fields are replaced"),
    ("9111 3.3", "what is not whole"),
    ("9111 3.4", "parts put together"),
    ("9111 3.5", "Authorization"),
    ("9111 4", "what is served, and to whom at once"),
    ("9111 4.1", "Vary"),
    ("9111 4.2", "fresh and stale"),
    ("9111 4.2.1", "the lifetime that is said"),
    ("9111 4.2.2", "the lifetime that is guessed"),
    ("9111 4.2.3", "the age"),
    ("9111 4.2.4", "stale answers"),
    ("9111 4.3.1", "the question whether it is the same"),
    ("9111 4.3.2", "the client's own question"),
    ("9111 4.3.3", "the reply to the question"),
    ("9111 4.3.4", "freshened by a 304"),
    ("9111 4.3.5", "freshened by HEAD"),
    ("9111 4.4", "made void"),
    ("9111 5.1", "Age"),
    ("9111 5.2", "Cache-Control"),
    ("9111 5.2.1.1", "max-age of a request"),
    ("9111 5.2.1.2", "max-stale"),
    ("9111 5.2.1.3", "min-fresh"),
    ("9111 5.2.1.4", "no-cache of a request"),
    ("9111 5.2.1.5", "no-store of a request"),
    ("9111 5.2.1.7", "only-if-cached"),
    ("9111 5.2.2.1", "max-age"),
    ("9111 5.2.2.2", "must-revalidate"),
    ("9111 5.2.2.3", "must-understand"),
    ("9111 5.2.2.4", "no-cache"),
    ("9111 5.2.2.5", "no-store"),
    ("9111 5.2.2.6", "no-transform"),
    ("9111 5.2.2.7", "private"),
    ("9111 5.2.2.8", "proxy-revalidate"),
    ("9111 5.2.2.9", "public"),
    ("9111 5.2.2.10", "s-maxage"),
    ("9111 5.2.3", "directives that are not known"),
    ("9111 5.3", "Expires"),
    ("9111 5.4", "Pragma"),
    ("9111 7.1", "fields that poison"),
    ("9111 7.3", "cookies"),
    ("5861 3", "stale-while-revalidate"),
    ("5861 4", "stale-if-error"),
    ("8246 2", "immutable"),
];

/// Those of Cache-Status and of targeted fields, where each parameter and each rule of a section stands for itself.
const PARTS: [(&str, &str); 24] = [
    ("9211 2 name", "a token, or else a string"),
    ("9211 2 append", "what others said stays before it"),
    ("9211 2.1", "hit"),
    ("9211 2.2 bypass", "fwd"),
    ("9211 2.2 method", "fwd"),
    ("9211 2.2 uri-miss", "fwd"),
    ("9211 2.2 vary-miss", "fwd"),
    ("9211 2.2 request", "fwd"),
    ("9211 2.2 stale", "fwd"),
    ("9211 2.2 partial", "fwd"),
    ("9211 2.3", "fwd-status"),
    ("9211 2.4", "ttl"),
    ("9211 2.5", "stored"),
    ("9211 2.6", "collapsed"),
    ("9211 2.7", "key: never told"),
    ("9211 2.8", "detail"),
    ("9213 2.1 syntax", "a dictionary"),
    ("9213 2.1 types", "numbers, words and strings as they must be"),
    ("9213 2.1 parameters", "are ignored"),
    ("9213 2.1 empty", "an empty field is none"),
    ("9213 2.2 order", "the first that is valid counts"),
    ("9213 2.2 instead", "Cache-Control and Expires do not"),
    ("9213 2.2 directives", "all that Cache-Control has"),
    ("9213 2.2 others", "those for others change nothing and pass"),
];

#[test]
fn every_rule_has_a_row_and_every_row_a_rule() {
    let rules: BTreeSet<&str> = SECTIONS.iter().chain(&PARTS).map(|(rule, _)| *rule).collect();
    let rows: BTreeSet<&str> = rows().map(|row| row.rule).collect();
    let without: Vec<_> = rules.difference(&rows).collect();
    assert!(without.is_empty(), "rules without a row: {without:#?}");
    let unknown: Vec<_> = rows.difference(&rules).collect();
    assert!(unknown.is_empty(), "rows without a rule: {unknown:#?}");
}

#[allow(clippy::disallowed_methods, reason = "the time that it really takes is the point")]
#[tokio::test(start_paused = true)]
async fn every_row_holds_and_all_take_no_time() {
    let (start, mut wrong, mut count) = (SystemTime::now(), String::new(), 0);
    for row in rows() {
        count += 1;
        if let Err(why) = row.check().await {
            writeln!(wrong, "{} | {}\n    {why}", row.rule, row.sentence).unwrap();
        }
    }
    let took = start.elapsed().unwrap_or_default();
    println!("{count} rows in {took:?}");
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

struct Row<'a> {
    rule: &'a str,
    sentence: &'a str,
    lines: Vec<&'a str>,
}

fn rows() -> impl Iterator<Item = Row<'static>> {
    let rows = TABLE.split("\n# ").skip(1);
    rows.map(|row| {
        let mut lines = row.lines().map(str::trim).filter(|line| !line.is_empty());
        let (rule, sentence) =
            lines.next().unwrap().split_once(" | ").expect("a rule and a sentence");
        Row { rule, sentence, lines: lines.collect() }
    })
}

type Replies = Arc<Mutex<VecDeque<Option<Response<String>>>>>;

/// A row on its way.
struct Story {
    layer: Option<HttpCacheLayer<CompleteParts>>,
    rules: Rules,
    service: Option<HttpCache<Origin, CompleteParts>>,
    origin: Origin,
    replies: Replies,
    start: SystemTime,
    asked: Option<(Request<Nothing>, usize)>,
}

impl Row<'_> {
    async fn check(&self) -> Result<(), String> {
        // A tenth after a whole second, since dates have no more.
        let since = clock::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = 1_100_000_000 - u64::from(since.subsec_nanos());
        tokio::time::advance(Duration::from_nanos(left)).await;
        let mut story = Story::new();
        for line in &self.lines {
            story.go_on(line).await.map_err(|why| format!("{line}: {why}"))?;
        }
        Ok(())
    }
}

impl Story {
    fn new() -> Self {
        let replies = Replies::default();
        let script = Arc::clone(&replies);
        let origin = Origin::new(move |_, request| -> Answer {
            let reply = script.lock().unwrap().pop_front().ok_or("the origin is asked")?;
            let is_head = request.method() == "HEAD";
            Ok(reply.ok_or("down")?.map(|body| text(if is_head { "" } else { &body })))
        });
        let rules = Rules::shared().cookies(Cookies::WithExplicitFreshness);
        let start = clock::wall();
        Self { layer: None, rules, service: None, origin, replies, start, asked: None }
    }

    async fn go_on(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "with" => self.set(rest),
            "takes" => self.origin = self.origin.clone().takes(seconds(rest)),
            "wait" => tokio::time::advance(seconds(rest)).await,
            ">" => self.asked = Some((self.request(rest), 1)),
            ">>" => self.asked = Some((self.request(rest), 2)),
            "<" => {
                let reply = (rest != "down").then(|| self.reply(rest));
                self.replies.lock().unwrap().push_back(reply);
            }
            "=" => return self.ask(rest).await,
            "sent" => {
                let sent = self.origin.last();
                return self.compare(&sent, "", rest.trim_start_matches("| "));
            }
            _ => panic!("{line}"),
        }
        Ok(())
    }

    fn set(&mut self, setting: &str) {
        let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
        let rules = self.rules.clone();
        self.rules = match name {
            "private" => Rules::private(),
            "careful" => rules.cookies(Cookies::IfPublic),
            "stale-while-revalidate" => rules.stale_while_revalidate(seconds(value)),
            "stale-if-error" => rules.stale_if_error(seconds(value)),
            "disconnected" => rules.stale_if_disconnected(seconds(value)),
            "targeted" => rules.targeted(value.split(", ").map(|name| name.parse().unwrap())),
            "name" => {
                let layer = HttpCacheLayer::new(rules.clone()).complete_parts();
                self.layer = Some(layer.name(value.to_owned()));
                rules
            }
            _ => panic!("{setting}"),
        };
    }

    fn request(&self, line: &str) -> Request<Nothing> {
        let (head, lines) = line.split_once(" | ").unwrap_or((line, ""));
        let (method, target) = head.split_once(' ').unwrap_or((head, "/b"));
        let uri =
            if target.starts_with('/') { format!("http://a{target}") } else { target.to_owned() };
        let (fields, body) = self.fields(lines);
        let body = Nothing::from(body.unwrap_or_default());
        let mut request = Request::builder().method(method).uri(uri).body(body).unwrap();
        *request.headers_mut() = fields;
        request
    }

    fn reply(&self, line: &str) -> Response<String> {
        let (status, lines) = line.split_once(" | ").unwrap_or((line, ""));
        let (fields, body) = self.fields(lines);
        let mut reply = Response::new(body.unwrap_or_default());
        *reply.status_mut() = status.parse::<StatusCode>().unwrap();
        *reply.headers_mut() = fields;
        reply
    }

    /// Asks, and holds what the last one got against what was expected.
    async fn ask(&mut self, expected: &str) -> Result<(), String> {
        let (request, times) = self.asked.take().expect("something is asked");
        let service = self.service.get_or_insert_with(|| {
            let layer = self.layer.take();
            let layer =
                layer.unwrap_or_else(|| HttpCacheLayer::new(self.rules.clone()).complete_parts());
            layer.layer(self.origin.clone())
        });
        service.inner = self.origin.clone();
        let all = (0..times).map(|_| {
            let answer = service.call(request.clone());
            async { Ok::<_, BoxError>(read(answer.await?).await) }
        });
        let reply = join_all(all).await.pop().expect("one at least is asked");
        // What is renewed beside it comes as well.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let left = std::mem::take(&mut *self.replies.lock().unwrap()).len();
        if left > 0 {
            return Err(format!("the origin was not asked for {left} of its replies; {reply:?}"));
        }
        let (head, fields) = expected.split_once(" | ").unwrap_or((expected, ""));
        let reply = match reply {
            Ok(reply) => reply,
            Err(_) if head == "error" => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let mut words = head.split(' ');
        let status = reply.status.as_str();
        if words.next() != Some(status) {
            return Err(format!("{reply:?}"));
        }
        let said = reply.field("cache-status");
        for word in words {
            let (is_wanted, word) =
                word.strip_prefix('!').map_or((true, word), |word| (false, word));
            if said.split("; ").any(|said| said == word) != is_wanted {
                return Err(format!("{word}: {said}"));
            }
        }
        let Reply { headers, body, .. } = &reply;
        self.compare(headers, body.as_ref().map_err(ToString::to_string)?, fields)
    }

    fn compare(&self, headers: &HeaderMap, body: &str, expected: &str) -> Result<(), String> {
        for line in expected.split(" | ").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').expect("a field has a name");
            let (name, value) = (name.trim(), self.value(value));
            let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap());
            let there = if name == "body" {
                body.to_owned()
            } else {
                lines.collect::<Vec<_>>().join(" / ")
            };
            if there != value {
                return Err(format!("{name}: {there}, not {value}; {headers:?}"));
            }
        }
        Ok(())
    }

    fn fields(&self, lines: &str) -> (HeaderMap, Option<String>) {
        let (mut headers, mut body) = (HeaderMap::new(), None);
        for line in lines.split(" | ").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').expect("a field has a name");
            let value = self.value(value);
            match name.trim() {
                "body" => body = Some(value),
                name => {
                    let name = HeaderName::try_from(name).unwrap();
                    headers.append(name, HeaderValue::try_from(value).unwrap());
                }
            }
        }
        (headers, body)
    }

    fn value(&self, text: &str) -> String {
        let text = text.trim();
        let Some(offset) = text.strip_prefix('@') else { return text.to_owned() };
        let offset: i64 = offset.parse().unwrap();
        let by = Duration::from_secs(offset.unsigned_abs());
        let date = if offset < 0 { self.start - by } else { self.start + by };
        httpdate::fmt_http_date(date)
    }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap())
}
