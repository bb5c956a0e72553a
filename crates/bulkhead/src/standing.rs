//! A caller in the queue.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::time::Sleep;
use tower_ballast_core::{
    Deadline, Priority, Reason,
    clock::{self, Nanos},
    gate::{Joined, Look},
    ranks::{Place, Rank},
};

use crate::{permit::Permit, shared::Shared};

/// What becomes of a call that is not refused.
pub(crate) enum Entry {
    Go(Permit),
    /// Without a permit.
    Free,
    Stand(Standing),
}

/// A place in the queue; dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Option<Place>,
    class: Priority,
    joined: Nanos,
    until: Nanos,
    due: Nanos,
}

/// Lets a call stand in the queue as long as it may, or go after all; or says why not.
#[cold]
pub(crate) fn join(
    shared: &Arc<Shared>,
    rank: Rank,
    deadline: Option<Deadline>,
) -> Result<Entry, Reason> {
    let now = clock::now();
    if deadline.is_some_and(|deadline| deadline.is_passed(now)) {
        return Err(Reason::DeadlinePassed);
    }
    // Without enforcement nobody waits: the question is only whether there is room.
    let most = if shared.enforcement.is_on() { shared.most_waiting() } else { 0 };
    let due = deadline.map_or(Nanos::MAX, Deadline::moment);
    let patience = shared.longest_wait().min(due.since(now) / 2);
    shared.borrow();
    let (mut evicted, mut late, mut refusal) = (None, Vec::new(), Reason::QueueFull);
    let mut longest = shared.longest_wait();
    let joined = shared.gate.join(rank, now, |ranks| {
        let target = shared.delays().tend(rank.class, now, ranks, &mut late);
        longest = longest.min(target.unwrap_or(Duration::MAX));
        if most > 0 && !ranks.may_wait(&rank, now, patience) {
            refusal = Reason::WaitTooLong;
            return false;
        }
        ranks.make_room(&rank, most, &mut evicted)
    });
    late.into_iter().chain(evicted).for_each(Waker::wake);
    match joined {
        Joined::Entered => Ok(Entry::Go(Permit::entered(Arc::clone(shared)))),
        Joined::Waits(place) => {
            if let Some(part) = &shared.part {
                part.queued();
            }
            let (shared, place, class) = (Arc::clone(shared), Some(place), rank.class);
            let until = (now + longest).min(due);
            Ok(Entry::Stand(Standing { shared, place, class, joined: now, until, due }))
        }
        Joined::Full => Err(refusal),
        Joined::Closed => Err(Reason::BulkheadFull),
    }
}

impl Standing {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The permit, when it is this caller's turn; or why it waits no longer.
    pub(crate) fn poll_turn(
        &mut self,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Permit, Reason>> {
        let now = clock::now();
        // Before it is looked whether it is its turn: that may come late as well.
        if now >= self.due {
            return Poll::Ready(Err(Reason::DeadlinePassed));
        }
        self.tend(now);
        match self.shared.gate.look(&mut self.place, now, cx.waker()) {
            Look::Entered => {
                return Poll::Ready(Ok(Permit::entered(Arc::clone(&self.shared))));
            }
            Look::Evicted => {
                let late = self.shared.delays().is_late(now.since(self.joined));
                let reason = if late { Reason::QueueTimeout } else { Reason::QueueFull };
                return Poll::Ready(Err(reason));
            }
            Look::NotYet => {}
        }
        if timer.is_none() {
            timer.set(Some(clock::sleep_until(self.until)));
        }
        ready!(timer.as_pin_mut().expect("set above").poll(cx));
        let is_due = self.until == self.due;
        Poll::Ready(Err(if is_due { Reason::DeadlinePassed } else { Reason::QueueTimeout }))
    }

    /// Its turn may be the one at which it is seen that the queue stands.
    fn tend(&self, now: Nanos) {
        let mut late = Vec::new();
        self.shared.gate.with_ranks(|ranks| {
            self.shared.delays().tend(self.class, now, ranks, &mut late);
        });
        late.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.shared.gate.quit(place);
            // What another part has given for it is to go on, or back.
            if let Some(part) = &self.shared.part {
                part.left(self.shared.may_wait());
            }
        }
    }
}
