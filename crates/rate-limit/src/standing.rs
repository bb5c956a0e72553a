//! A caller that waits for its turn.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::time::Sleep;
use tower_ballast_core::{
    BoxError, Deadline, Priority, Reason,
    clock::{self, Nanos},
    ranks::{Place, Rank, Ranks},
};

use crate::{
    claim::Claim,
    door::{Joined, Look},
    future::ResponseFuture,
    settle::Settle,
    shared::{Refusal, Shared},
};

/// What becomes of a call that may wait.
pub(crate) enum Entry {
    Passed(Unspent),
    Stand(Standing),
    Refused(Refusal),
}

/// What a request has taken and not used yet; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Unspent {
    shared: Option<Arc<Shared>>,
    rank: Rank,
    claim: Claim,
}

/// A place in the queue; dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Standing {
    shared: Arc<Shared>,
    place: Option<Place>,
    rank: Rank,
    claim: Claim,
    since: Nanos,
    until: Nanos,
    /// What starts later cannot end in time.
    last_start: Nanos,
    /// What the timer is set to.
    alarm: Nanos,
}

/// Lets a call pass that has taken what it asks for by key, stand in the queue as long as it may,
/// or neither.
#[cold]
pub(crate) fn join(
    shared: &Arc<Shared>,
    rank: Rank,
    deadline: Option<Deadline>,
    claim: Claim,
) -> Entry {
    let entry = enter(shared, rank, deadline, claim);
    if matches!(entry, Entry::Refused(_)) {
        shared.levels.give_back(&claim);
    }
    entry
}

fn enter(shared: &Arc<Shared>, rank: Rank, deadline: Option<Deadline>, claim: Claim) -> Entry {
    let now = claim.taken;
    let refused = |reason| Entry::Refused(Refusal { class: rank.class, reason, after: None });
    // What starts later than this cannot end in time.
    let last_start = deadline.map_or(Nanos::MAX, |deadline| {
        let needs = clock::nanos_in(shared.needs()).max(1);
        Nanos::from_nanos(deadline.moment().as_nanos().saturating_sub(needs))
    });
    if last_start < now {
        return refused(Reason::DeadlinePassed);
    }
    // Without enforcement nobody waits: the question is only whether it would pass.
    let most = if shared.enforcement.is_on() { shared.most_waiting() } else { 0 };
    let longest = shared.longest_wait(rank.class);
    let half = last_start.since(now) / 2;
    let (mut reason, mut evicted) = (Reason::RateLimited, None);
    let joined = shared.door.join(rank, now, |ranks, opens| {
        if !has_room(ranks, &rank, most) {
            reason = if most == 0 { Reason::RateLimited } else { Reason::QueueFull };
            return false;
        }
        let may = opens.is_none_or(|opens| opens <= now + half)
            && ranks.may_wait(&rank, now, longest.min(half));
        if may && !ranks.has_room(&rank, most) {
            evicted = ranks.evict_newest(Priority::Batch);
        }
        may
    });
    if let Some(evicted) = evicted {
        evicted.wake();
    }
    match joined {
        Joined::Passed => Entry::Passed(Unspent::new(shared, rank, claim)),
        Joined::Refused(earliest) => Entry::Refused(shared.slot(&rank, now, earliest, reason)),
        Joined::Never => Entry::Refused(Shared::never(rank.class)),
        Joined::Waits(place) => Entry::Stand(Standing {
            shared: Arc::clone(shared),
            place: Some(place),
            rank,
            claim,
            since: now,
            until: (now + longest).min(last_start),
            last_start,
            alarm: Nanos::ZERO,
        }),
    }
}

/// Whether a newcomer finds a place in its class. Where all of the highest are taken it may have that of the newest
/// of the lowest, if its client has not more places than there are of those.
fn has_room(ranks: &Ranks, rank: &Rank, most: u32) -> bool {
    let (own, lowest) = (ranks.len_of(rank.class), ranks.len_of(Priority::Batch));
    let may_evict = rank.class == Priority::High && own >= most && most > 0;
    ranks.has_room(rank, most) || may_evict && ranks.has_room(rank, own.saturating_add(lowest))
}

impl Standing {
    /// The rejection, unless refusals are carried out no more.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Option<BoxError> {
        self.shared.reject(refusal)
    }

    /// Why it waits no longer, and when it could come back: at `opens` if that is known.
    fn over(&self, now: Nanos, opens: Option<Nanos>) -> Refusal {
        let Self { shared, rank, until, last_start, .. } = self;
        if until.max(&now) >= last_start {
            return Refusal { class: rank.class, reason: Reason::DeadlinePassed, after: None };
        }
        let earliest = opens.unwrap_or_else(|| shared.door.next_turn(rank, now));
        shared.slot(rank, now, earliest, Reason::QueueTimeout)
    }

    /// What the request takes, when it is its turn; or why it waits no longer.
    pub(crate) fn poll_turn(
        &mut self,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Unspent, Refusal>> {
        loop {
            let now = clock::now();
            // Before it is looked whether it is its turn: that may come late as well.
            if now > self.last_start {
                return Poll::Ready(Err(self.over(now, None)));
            }
            self.shared.follow_schedule(now);
            let next = match self.shared.door.look(&mut self.place, now, cx.waker()) {
                Look::Passed => {
                    let waited = clock::nanos_in(now.since(self.since));
                    self.shared.counts.waited(self.rank.class, waited);
                    self.shared.passed(|| self.rank.client, now);
                    let claim = self.claim.taken_at(now);
                    return Poll::Ready(Ok(Unspent::new(&self.shared, self.rank, claim)));
                }
                Look::Never => return Poll::Ready(Err(Shared::never(self.rank.class))),
                Look::Evicted => {
                    let earliest = self.shared.door.next_turn(&self.rank, now);
                    return Poll::Ready(Err(self.shared.slot(
                        &self.rank,
                        now,
                        earliest,
                        Reason::QueueFull,
                    )));
                }
                Look::NotYet => self.until,
                // It would not pass before its end: its place is better another's.
                Look::Opens(moment) if moment > self.until => {
                    return Poll::Ready(Err(self.over(now, Some(moment))));
                }
                Look::Opens(moment) => moment,
            };
            if now >= self.until {
                return Poll::Ready(Err(self.over(now, None)));
            }
            if self.alarm != next {
                self.alarm = next;
                match timer.as_mut().as_pin_mut() {
                    Some(timer) => timer.reset(clock::instant(next)),
                    None => timer.set(Some(clock::sleep_until(next))),
                }
            }
            ready!(timer.as_mut().as_pin_mut().expect("set above").poll(cx));
            // A timer of tokio fires a little late, but never early.
            self.alarm = Nanos::ZERO;
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.shared.levels.give_back(&self.claim);
            self.shared.door.quit(place);
        }
    }
}

impl Unspent {
    pub(crate) fn new(shared: &Arc<Shared>, rank: Rank, claim: Claim) -> Self {
        Self { shared: Some(Arc::clone(shared)), rank, claim }
    }

    /// Refuses although it was the request's turn, unless that is only reported; what it took is
    /// given back.
    pub(crate) fn refuse(&self, reason: Reason) -> Option<BoxError> {
        let refusal = Refusal { class: self.rank.class, reason, after: None };
        self.shared.as_ref()?.reject(refusal)
    }

    /// The request is sent: what it took is spent, and settled if that is wanted.
    pub(crate) fn spend<F, C, G, T, E>(
        mut self,
        response: F,
        settle: &C,
        gauge: G,
    ) -> ResponseFuture<F, C, G>
    where
        F: Future<Output = Result<T, E>>,
        C: Settle<T, E> + Clone,
    {
        match self.shared.take() {
            Some(shared) if settle.settles() => {
                ResponseFuture::settling(response, shared, settle.clone(), self.claim, gauge)
            }
            _ => ResponseFuture::free(response, gauge),
        }
    }
}

impl Drop for Unspent {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.give_back(&self.claim);
        }
    }
}
