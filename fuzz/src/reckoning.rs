//! What is known of a kept answer, reckoned from the story and not from fields: plainly, and by RFC 9111 alone.
//!
//! Moments and spans are in milliseconds, and wide enough for any number of seconds.

use std::mem::discriminant;

use crate::story::{
    Code, Directive, Expires, Field, Head, Number, Policy, Reply, Request, Verb, Wish,
};

/// When every story begins, after the start of 1970.
pub const START: u64 = 1_771_934_400_000;

const DAY: u128 = 24 * 60 * 60 * 1000;
/// The longest span that there is: 585 thousand million years.
const FOREVER: u128 = u64::MAX as u128 * 1000 + 999;

/// What is known of a kept answer.
#[derive(Debug, Clone)]
pub struct Known {
    /// As it is kept: without what is not kept of it.
    head: Head,
    pub said: Said,
    status: Code,
    came: u64,
    age_when_it_came: u128,
    /// For how long it is fresh at most.
    pub life: u128,
    is_life_stated: bool,
    /// Which choices it varies by; nobody knows once that has changed.
    varies: Option<[bool; 2]>,
    choices: [Option<bool>; 2],
}

/// What the directives of a response say.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a directive")]
pub struct Said {
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    if_error: Option<u64>,
    while_revalidating: Option<u64>,
    pub no_cache: bool,
    private: bool,
    no_store: bool,
    public: bool,
    must_revalidate: bool,
    proxy_revalidate: bool,
    must_understand: bool,
    pub immutable: bool,
    is_targeted: bool,
    withheld: Vec<Field>,
}

impl Known {
    /// Of an answer that was asked for and came at these moments.
    #[must_use]
    pub fn of(policy: Policy, request: &Request, reply: &Reply, asked: u64, came: u64) -> Self {
        let mut known = Self::reckoned(policy, reply.status, reply.head.clone(), asked, came);
        known.varies = Some(reply.head.vary.unwrap_or_default());
        known.choices = request.choices;
        known
    }

    /// The same after a new head, of a 304 or of the answer to a HEAD, that was asked for and came at these moments.
    #[must_use]
    pub fn renewed(&self, policy: Policy, news: &Head, asked: u64, came: u64) -> Self {
        let old = self.head.clone();
        let all = Head {
            cache_control: news.cache_control.clone().or(old.cache_control),
            targeted: news.targeted.clone().or(old.targeted),
            age: news.age,
            date: news.date,
            expires: news.expires.or(old.expires),
            last_modified: news.last_modified.or(old.last_modified),
            etag: old.etag.or(news.etag),
            vary: news.vary.or(old.vary),
            set_cookie: news.set_cookie || old.set_cookie,
            connection: news.connection.clone(),
        };
        let varies = all.vary.unwrap_or_default();
        let mut known = Self::reckoned(policy, self.status, all, asked, came);
        known.varies = self.varies.filter(|old| *old == varies);
        known.choices = self.choices;
        known
    }

    fn reckoned(policy: Policy, status: Code, mut head: Head, asked: u64, came: u64) -> Self {
        let said = Said::of(policy, &head);
        let date = head.date.map_or(came, |(_, after)| moment(i64::from(after)));
        let stated_age = head.age.map_or(0, |age| match age {
            // In quotes it is no number of seconds.
            Number::Quoted(_) => 0,
            age => seconds(age),
        });
        let apparent = u128::from(came.saturating_sub(date));
        let corrected = millis(stated_age) + u128::from(came.saturating_sub(asked));
        let stated = said.life(policy, &head, date);
        let guessed = said.guessed(status, &head, date);
        head.withhold(&said.withheld);
        Self {
            life: stated.unwrap_or(guessed),
            is_life_stated: stated.is_some(),
            age_when_it_came: apparent.max(corrected),
            varies: None,
            choices: [None; 2],
            head,
            said,
            status,
            came,
        }
    }

    #[must_use]
    pub fn age(&self, now: u64) -> u128 {
        (self.age_when_it_came + u128::from(now.saturating_sub(self.came))).min(FOREVER)
    }

    /// For how long it has been stale.
    #[must_use]
    pub fn over(&self, now: u64) -> u128 {
        self.age(now).saturating_sub(self.life)
    }

    #[must_use]
    pub fn is_for(&self, request: &Request) -> bool {
        let same = |at: usize| self.choices[at] == request.choices[at];
        self.varies.is_some_and(|by| (0..2).all(|at| !by[at] || same(at)))
    }

    /// The tag by which it is known.
    #[must_use]
    pub fn etag(&self) -> Option<bool> {
        self.head.etag
    }

    #[must_use]
    pub fn may_be_stale(&self, policy: Policy) -> bool {
        let Said { no_cache, must_revalidate, proxy_revalidate, s_maxage, .. } = self.said;
        let for_shared = proxy_revalidate || s_maxage.is_some();
        !(no_cache || must_revalidate || !policy.private && for_shared)
    }

    /// For how long it may be stale while it is renewed.
    #[must_use]
    pub fn while_revalidating(&self, policy: Policy) -> u128 {
        millis(self.said.while_revalidating.unwrap_or(policy.while_revalidating.into()))
    }

    /// For how long it may be stale in the place of a failure.
    #[must_use]
    pub fn if_error(&self, policy: Policy, is_unreachable: bool) -> u128 {
        let at_least = if is_unreachable { policy.if_disconnected.into() } else { 0 };
        millis(self.said.if_error.unwrap_or(policy.if_error.into()).max(at_least))
    }

    /// Whether nothing forbids that it is kept.
    #[must_use]
    pub fn may_be_kept(&self, policy: Policy, request: &Request) -> bool {
        let Said { public, private, no_store, must_understand, must_revalidate, .. } = self.said;
        let is_open = public || must_revalidate || self.said.s_maxage.is_some();
        let is_cookie_for_all = if policy.explicit_cookies { self.is_life_stated } else { public };
        let is_forbidden = no_store && !must_understand
            || must_understand && self.status == Code::Unknown
            || request.wishes.contains(&Wish::NoStore)
            || request.method == Verb::Post;
        let is_for_one = private
            || request.authorization && !is_open
            || self.head.set_cookie && !is_cookie_for_all;
        self.status != Code::NotModified && !is_forbidden && (policy.private || !is_for_one)
    }
}

impl Said {
    /// What counts for a cache with this policy.
    fn of(policy: Policy, head: &Head) -> Self {
        let targeted = head.targeted.as_ref().filter(|_| !policy.private);
        let mut said = targeted.and_then(|all| Self::of_dictionary(all)).unwrap_or_else(|| {
            let mut said = Self::default();
            let all = head.cache_control.iter().flatten();
            all.for_each(|directive| said.add(*directive));
            said
        });
        said.withheld.extend(&head.connection);
        said
    }

    /// Of equal directives the last counts; one that is none makes all of them void.
    fn of_dictionary(all: &[Directive]) -> Option<Self> {
        let mut said = Self { is_targeted: true, ..Self::default() };
        for (at, directive) in all.iter().enumerate() {
            let is_last =
                all[at + 1..].iter().all(|other| discriminant(other) != discriminant(directive));
            match directive.number() {
                Some(Number::Absurd | Number::Great(1_000_000_000_000_000..)) => return None,
                Some(Number::Quoted(_) | Number::None) if is_last => return None,
                _ if is_last => said.add(*directive),
                _ => {}
            }
        }
        (!all.is_empty()).then_some(said)
    }

    /// Of equal numbers the first counts.
    fn add(&mut self, directive: Directive) {
        match directive {
            Directive::MaxAge(age) => _ = self.max_age.get_or_insert(seconds(age)),
            Directive::SMaxage(age) => _ = self.s_maxage.get_or_insert(seconds(age)),
            Directive::StaleIfError(age) => _ = self.if_error.get_or_insert(seconds(age)),
            Directive::StaleWhileRevalidate(age) => {
                self.while_revalidating.get_or_insert(seconds(age));
            }
            Directive::NoCache(Some(field)) | Directive::Private(Some(field)) => {
                self.withheld.push(field);
            }
            Directive::NoCache(None) => self.no_cache = true,
            Directive::Private(None) => self.private = true,
            Directive::NoStore => self.no_store = true,
            Directive::Public => self.public = true,
            Directive::MustRevalidate => self.must_revalidate = true,
            Directive::ProxyRevalidate => self.proxy_revalidate = true,
            Directive::MustUnderstand => self.must_understand = true,
            Directive::Immutable => self.immutable = true,
            Directive::Unknown => {}
        }
    }

    fn life(&self, policy: Policy, head: &Head, date: u64) -> Option<u128> {
        let shared = self.s_maxage.filter(|_| !policy.private);
        let expires = head.expires.filter(|_| !self.is_targeted).map(|expires| match expires {
            Expires::At(_, after) => moment(i64::from(after)).saturating_sub(date).into(),
            Expires::Twice(_) | Expires::None => 0,
        });
        shared.or(self.max_age).map(millis).or(expires)
    }

    /// A tenth of the time since it was last changed, and a day at most.
    fn guessed(&self, status: Code, head: &Head, date: u64) -> u128 {
        let Some((_, hours)) = head.last_modified else { return 0 };
        if !self.public && !status.may_be_guessed() {
            return 0;
        }
        let unchanged = date.saturating_sub(moment(i64::from(hours) * 3600));
        // What is less than a millisecond is nobody's harm.
        u128::from(unchanged / 10 + 1).min(DAY)
    }
}

impl Head {
    fn withhold(&mut self, fields: &[Field]) {
        for field in fields {
            match field {
                Field::Age => self.age = None,
                Field::CacheControl => self.cache_control = None,
                Field::CdnCacheControl => self.targeted = None,
                Field::Date => self.date = None,
                Field::Etag => self.etag = None,
                Field::Expires => self.expires = None,
                Field::LastModified => self.last_modified = None,
                Field::SetCookie => self.set_cookie = false,
                Field::Vary => self.vary = None,
            }
        }
        self.connection.clear();
    }
}

impl Directive {
    const fn number(self) -> Option<Number> {
        match self {
            Self::MaxAge(number)
            | Self::SMaxage(number)
            | Self::StaleIfError(number)
            | Self::StaleWhileRevalidate(number) => Some(number),
            _ => None,
        }
    }
}

/// The number that is meant; what is none is nothing.
fn seconds(number: Number) -> u64 {
    match number {
        Number::Small(number) | Number::Quoted(number) => number.into(),
        Number::Great(number) => number,
        Number::Absurd => u64::MAX,
        Number::None => 0,
    }
}

fn millis(seconds: u64) -> u128 {
    u128::from(seconds) * 1000
}

fn moment(seconds_after_start: i64) -> u64 {
    START.saturating_add_signed(seconds_after_start * 1000)
}
