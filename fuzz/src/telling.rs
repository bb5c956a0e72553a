//! Tells a story to the rules of the cache, and holds what they decide against the reckoning.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tower_ballast_http_cache::engine::{
    Ask, Cookies, Decision, Entry, Rules, Stale, Times, Wall, decide, freshen, is_same, keep,
    outdated,
};

use crate::{
    reckoning::{Known, START},
    story::{Code, Policy, Reply, Request, Step, Story, Verb, Wish},
};

const LENGTH: u64 = 9;
const VARIANTS: usize = 16;

/// Tells a story.
///
/// # Panics
///
/// Where something is kept that may not be, or served as younger than it is, or for longer than it may be.
pub fn tell(story: &Story) {
    let policy = story.policy;
    let mut cache = Cache { rules: policy.rules(), policy, now: START, kept: Vec::new() };
    for step in &story.steps {
        match step {
            Step::Wait(quarters) => cache.now += u64::from(*quarters) * 250,
            Step::WaitLong(hours) => cache.now += u64::from(*hours) * 3_600_000,
            Step::Back(seconds) => cache.now -= u64::from(*seconds) * 1000,
            Step::Ask(request, reply) => cache.ask(request, reply.as_ref()),
            Step::Purge => cache.kept.clear(),
        }
    }
}

impl Policy {
    fn rules(self) -> Rules {
        let rules = if self.private { Rules::private() } else { Rules::shared() };
        let cookies =
            if self.explicit_cookies { Cookies::WithExplicitFreshness } else { Cookies::IfPublic };
        let seconds = |seconds: u8| Duration::from_secs(seconds.into());
        rules
            .lenient(self.lenient)
            .cookies(cookies)
            .stale_while_revalidate(seconds(self.while_revalidating))
            .stale_if_error(seconds(self.if_error))
            .stale_if_disconnected(seconds(self.if_disconnected))
    }
}

struct Cache {
    policy: Policy,
    rules: Rules,
    now: u64,
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    entry: Entry,
    known: Known,
}

impl Cache {
    fn ask(&mut self, request: &Request, reply: Option<&Reply>) {
        let written = request.written();
        let entries = self.kept.iter().map(|kept| &kept.entry);
        match decide(&self.rules, Ask::from(&written), entries, self.wall()) {
            Decision::Serve { entry, stale } => self.served(&self.kept[entry], request, stale),
            Decision::Missing => assert!(request.wishes.contains(&Wish::OnlyIfCached)),
            Decision::Bypass => {
                assert_eq!(request.method, Verb::Post);
                self.changed(request, reply);
            }
            Decision::Forward { validate, .. } => self.forwarded(request, validate, reply),
        }
    }

    fn wall(&self) -> Wall {
        Wall::from_millis(self.now)
    }

    /// What was changed is void.
    fn changed(&mut self, request: &Request, reply: Option<&Reply>) {
        let Some(reply) = reply else { return };
        let (written, status) = (request.written(), reply.status.status());
        let void = outdated(Ask::from(&written), status, &reply.head.written());
        let is_done = status.is_success() || status.is_redirection();
        assert_eq!(void.contains(written.uri()), is_done);
        if is_done {
            self.kept.clear();
        }
    }

    fn forwarded(&mut self, request: &Request, validate: Option<usize>, reply: Option<&Reply>) {
        let asked = self.now;
        self.now += reply.map_or(0, |reply| u64::from(reply.delay) * 250);
        let written = request.written();
        let failed = reply.map(|reply| reply.status.status());
        if failed.is_none_or(|status| status.is_server_error()) {
            let ask = Ask::from(&written);
            let spare =
                |kept: &&Kept| kept.entry.may_replace(&self.rules, ask, failed, self.wall());
            if let Some(kept) = self.kept.iter().rfind(spare) {
                return self.replaced(kept, request, failed.is_none());
            }
        }
        let Some(reply) = reply else { return };
        let times = Times { asked: Wall::from_millis(asked), came: self.wall() };
        let fields = reply.head.written();
        match (validate, request.method) {
            (Some(at), _) if reply.status == Code::NotModified => {
                self.renew(at, request, (reply, &fields), times, asked);
            }
            (_, Verb::Get) => self.keep(request, (reply, &fields), times, asked),
            _ if reply.status == Code::Ok => {
                let Some(at) =
                    self.kept.iter().rposition(|kept| kept.entry.is_for(written.headers()))
                else {
                    return;
                };
                if is_same(&self.kept[at].entry, &fields) {
                    self.renew(at, request, (reply, &fields), times, asked);
                } else {
                    self.kept.remove(at);
                }
            }
            _ => {}
        }
    }

    fn keep(
        &mut self,
        request: &Request,
        (reply, fields): (&Reply, &HeaderMap),
        times: Times,
        asked: u64,
    ) {
        let written = request.written();
        let known = Known::of(self.policy, request, reply, asked, self.now);
        let head = (reply.status.status(), fields);
        let Ok(entry) = keep(&self.rules, Ask::from(&written), head, times) else { return };
        assert!(known.may_be_kept(self.policy, request), "kept: {known:?}");
        assert!(entry.is_for(written.headers()), "not for the one who asked: {known:?}");
        self.kept.retain(|old| !old.entry.is_for(written.headers()));
        if self.kept.len() == VARIANTS {
            self.kept.remove(0);
        }
        self.kept.push(Kept { entry, known });
    }

    /// Makes an entry fresh, serves it once, and keeps it if it may still be kept.
    fn renew(
        &mut self,
        at: usize,
        request: &Request,
        (reply, fields): (&Reply, &HeaderMap),
        times: Times,
        asked: u64,
    ) {
        let old = self.kept.remove(at);
        let entry = freshen(&self.rules, &old.entry, fields, times);
        let known = old.known.renewed(self.policy, &reply.head, asked, self.now);
        assert_eq!(entry.status(), old.entry.status());
        let (get, written) = (Request { method: Verb::Get, ..request.clone() }, request.written());
        let kept = Kept { entry, known };
        self.shown(&kept, request);
        if kept.entry.may_stay(&self.rules, Ask::from(&written)).is_ok() {
            assert!(kept.known.may_be_kept(self.policy, &get), "still kept: {:?}", kept.known);
            self.kept.push(kept);
        }
    }

    /// Whether it may be served, as it was decided.
    fn served(&self, kept: &Kept, request: &Request, stale: Option<Stale>) {
        let Kept { known, .. } = kept;
        let (age, over) = (known.age(self.now), known.over(self.now));
        assert!(known.is_for(request), "for others: {known:?}");
        assert!(request.method != Verb::Post && !known.said.no_cache, "{known:?}");
        let fresh = age < known.life;
        match stale {
            None => assert!(fresh, "aged {age} and served as fresh: {known:?}"),
            Some(how) => {
                assert!(known.may_be_stale(self.policy), "served stale: {known:?}");
                let allowed = match how {
                    Stale::Wished => request.takes_stale(over),
                    Stale::WhileRevalidating => over < known.while_revalidating(self.policy),
                };
                assert!(allowed, "stale for {over}, {how:?}: {known:?}");
            }
        }
        for wish in &request.wishes {
            let fulfilled = match *wish {
                Wish::NoCache => false,
                Wish::MaxAge(most) if request.is_first(*wish) => {
                    age <= u128::from(most) * 1000 || known.said.immutable && fresh
                }
                Wish::MinFresh(least) if request.is_first(*wish) => {
                    known.life.saturating_sub(age) >= u128::from(least) * 1000
                }
                _ => true,
            };
            assert!(fulfilled, "against {wish:?}, aged {age}: {known:?}");
        }
        self.shown(kept, request);
    }

    /// Whether it may be served in the place of a failure.
    fn replaced(&self, kept: &Kept, request: &Request, is_unreachable: bool) {
        let Kept { known, .. } = kept;
        assert!(known.is_for(request), "for others: {known:?}");
        assert!(!request.wishes.contains(&Wish::NoCache) && request.method != Verb::Post);
        assert!(known.may_be_stale(self.policy), "served in place of a failure: {known:?}");
        let (age, over) = (known.age(self.now), known.over(self.now));
        let allowed = over < known.if_error(self.policy, is_unreachable);
        assert!(age < known.life || allowed, "stale for {over}: {known:?}");
        self.shown(kept, request);
    }

    /// Whether an answer tells its age, and is what it says.
    fn shown(&self, kept: &Kept, request: &Request) {
        let Kept { entry, known } = kept;
        let written = request.written();
        let answer = entry.answer(Ask::from(&written), LENGTH, self.wall());
        let age = answer.headers.get("age").and_then(|age| age.to_str().ok()?.parse::<u64>().ok());
        let least = u64::try_from(known.age(self.now) / 1000).unwrap_or(u64::MAX);
        assert!(age.is_some_and(|age| age >= least), "shown as {age:?}, is {least}: {known:?}");
        if answer.status == StatusCode::NOT_MODIFIED {
            let tag = request.if_none_match;
            assert!(tag.is_some() && tag == known.etag(), "unchanged: {known:?}");
        } else {
            assert_eq!(answer.status, entry.status());
        }
    }
}

impl Code {
    fn status(self) -> StatusCode {
        StatusCode::from_u16(self.number()).expect("a status has three digits")
    }
}

impl Request {
    /// Of equal wishes the first counts.
    fn is_first(&self, wish: Wish) -> bool {
        let same = |other: &&Wish| std::mem::discriminant(*other) == std::mem::discriminant(&wish);
        self.wishes.iter().find(same) == Some(&wish)
    }

    /// Whether it takes what has been stale for so long.
    fn takes_stale(&self, over: u128) -> bool {
        self.wishes.iter().any(|wish| match wish {
            Wish::MaxStale(None) => self.is_first(*wish),
            Wish::MaxStale(Some(most)) => self.is_first(*wish) && over <= u128::from(*most) * 1000,
            _ => false,
        })
    }
}
