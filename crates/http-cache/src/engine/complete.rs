//! Parts of a response that are put together (RFC 9111 sections 3.3 and 3.4).

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE},
};

use super::{
    ask::{Ask, Facts},
    conditions,
    decide::verdict,
    entry::{Entry, Part},
    freshen::freshen,
    freshness, range,
    rules::Rules,
    time::{Times, Wall},
};

/// What the answer to a request for the rest of a part is good for.
#[derive(Debug, Clone)]
pub enum Completed {
    /// The body of the whole is that of the part, and then what comes without its first `skip` bytes.
    Whole {
        /// The whole.
        entry: Box<Entry>,
        /// How many bytes come that are there already.
        skip: u64,
    },
    /// It is of another response: ask again, without `Range` and `If-Range`.
    Again,
    /// It is a response like any other.
    Other,
}

/// Two parts that were put together.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) entry: Entry,
    /// How many bytes of the older part come before those of the newer one, and how many after them.
    around: (usize, usize),
}

impl Joined {
    /// The bytes of both.
    pub(crate) fn body(&self, older: &[u8], newer: &[u8]) -> Vec<u8> {
        let (before, after) = self.around;
        let after = older.len().saturating_sub(after);
        [older.get(..before).unwrap_or_default(), newer, older.get(after..).unwrap_or_default()]
            .concat()
    }
}

impl Entry {
    /// Puts this part and a newer one together, if they leave no gap and have the same strong validator. What the newer one
    /// says counts; it may have left out what the older one says, since it was asked for as a part of that.
    pub(crate) fn join(&self, rules: &Rules, newer: &Self, times: Times) -> Option<Joined> {
        let (older, part) = (self.part.as_ref()?, newer.part.as_ref()?);
        let (old, new) = (&older.held, &part.held);
        let adjoins = new.start <= old.end && old.start <= new.end && older.total == part.total;
        if !adjoins || !self.has_same_validator(&newer.headers, times) {
            return None;
        }
        let before = usize::try_from(new.start.saturating_sub(old.start)).ok()?;
        let after = usize::try_from(old.end.saturating_sub(new.end)).ok()?;
        let held = old.start.min(new.start)..old.end.max(new.end);
        let mut entry = freshen(rules, self, &newer.headers, times).no_younger_than(newer);
        entry.selecting = newer.selecting.clone();
        entry.hold(Part { held, total: part.total });
        Some(Joined { entry, around: (before, after) })
    }

    /// From where on bytes are wanted, where a GET for the whole finds the beginning of it here, and could be answered with it
    /// if it were the whole. Not one with conditions: they are for a whole.
    #[must_use]
    pub fn lacks_from(&self, rules: &Rules, ask: Ask<'_>, now: Wall) -> Option<u64> {
        let part = self.part.as_ref().filter(|part| part.held.start == 0)?;
        let facts = Facts::of(ask.headers);
        let whole =
            range::wanted(ask, &self.headers, self.date, part.total) == range::Wanted::Whole;
        let plain = *ask.method == Method::GET && !facts.condition && !facts.for_origin;
        let usable = verdict(rules, &facts, self, now) == Ok(None);
        (whole && plain && usable).then_some(part.held.end)
    }

    /// Asks for the bytes from there on in the place of the whole, if it is still the same.
    ///
    /// Without a strong validator only a whole can be of use, and a part that comes is asked for again.
    pub fn ask_rest(&self, from: u64, request: &mut HeaderMap) {
        let conditions =
            [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE, IF_RANGE];
        for name in conditions {
            request.remove(name);
        }
        if let Ok(range) = HeaderValue::try_from(format!("bytes={from}-")) {
            request.insert(RANGE, range);
        }
        if let Some(validator) = conditions::strong(&self.headers, self.date) {
            request.insert(IF_RANGE, validator.clone());
        }
    }

    /// Puts the part and the answer to [`ask_rest`](Self::ask_rest) together, if both have the same strong validator.
    #[must_use]
    pub fn complete(
        &self,
        rules: &Rules,
        (status, headers): (StatusCode, &HeaderMap),
        times: Times,
    ) -> Completed {
        match status {
            StatusCode::PARTIAL_CONTENT => {}
            // The rest would begin where nothing is any more.
            StatusCode::RANGE_NOT_SATISFIABLE => return Completed::Again,
            _ => return Completed::Other,
        }
        let (Some(held), Some(came)) = (&self.part, range::part(headers)) else {
            return Completed::Again;
        };
        let adjoins = held.held.start == 0
            && (1..=held.held.end).contains(&came.held.start)
            && came.held.end == held.total
            && came.total == held.total;
        if !adjoins || !self.has_same_validator(headers, times) {
            return Completed::Again;
        }
        let mut entry = freshen(rules, self, headers, times);
        entry.hold(Part { held: 0..held.total, total: held.total });
        Completed::Whole { entry: Box::new(entry), skip: held.held.end - came.held.start }
    }

    fn has_same_validator(&self, headers: &HeaderMap, times: Times) -> bool {
        let date = freshness::date(headers, times.came);
        let own = conditions::strong(&self.headers, self.date);
        own.is_some() && own == conditions::strong(headers, date)
    }
}
