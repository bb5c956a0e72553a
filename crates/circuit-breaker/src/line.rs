//! Standing in line before a circuit that is not closed.

use std::task::Waker;

use tower_ballast_core::{
    BoxError, Deadline, Lease, Spread,
    clock::{self, Nanos},
    queue::Place,
};

use crate::shared::{Refusal, Shared};

/// What becomes of a call that may wait.
pub(crate) enum Entry {
    Go {
        epoch: u64,
    },
    Stand(Standing),
    /// It may go although it was refused, and nothing is counted.
    Free,
    Refused(BoxError),
}

/// What is decided for a caller in line.
pub(crate) enum Turn {
    Go {
        epoch: u64,
    },
    /// Its time is up.
    Over(Refusal),
}

/// A caller's place in the line; dropping it leaves the line and hands on to the next.
#[derive(Debug)]
pub(crate) struct Standing {
    shared: Lease<Shared>,
    place: Option<Place>,
    until: Nanos,
}

/// Lets a call go, or stand in line as long as it may.
pub(crate) fn enter(shared: &Spread<Shared>, deadline: Option<Deadline>) -> Entry {
    let refusal = match shared.admit() {
        Ok(epoch) => return Entry::Go { epoch },
        Err(refusal) => refusal,
    };
    if !shared.carries_out() {
        shared.spare(refusal);
        return Entry::Free;
    }
    let now = clock::now();
    let (place, changed) = shared.change_at(now, |locked, _| {
        let settings = &locked.circuit.settings;
        let until = now + settings.longest_wait;
        let until = deadline.map_or(until, |deadline| until.min(deadline.moment()));
        let may = locked.line.len() < settings.most_waiting && until > now;
        may.then(|| (locked.line.join(), until))
    });
    debug_assert!(changed.is_none(), "joining the line changes no state");
    match place {
        Some((place, until)) => {
            Entry::Stand(Standing { shared: shared.lease(), place: Some(place), until })
        }
        None => Entry::Refused(shared.refuse(refusal)),
    }
}

impl Standing {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The share of the state that this caller held, for its call.
    pub(crate) fn lease(&self) -> Lease<Shared> {
        self.shared.clone()
    }

    /// Looks whether something is decided; if not, leaves word whom to wake, and says until when
    /// nothing will be unless it is woken.
    pub(crate) fn look(&mut self, waker: &Waker) -> Result<Turn, Nanos> {
        let now = clock::now();
        let ((turn, next), changed) = self.shared.change_at(now, |locked, now| {
            let place = self.place.take().expect("a caller looks only while it stands in line");
            let refusal = if locked.line.is_first(&place) {
                match locked.ask(now) {
                    Ok(epoch) => return (Ok(Turn::Go { epoch }), locked.line.leave(place)),
                    Err(refusal) => refusal,
                }
            } else {
                Refusal { reason: locked.circuit.reason(), after: None }
            };
            if self.until <= now {
                return (Ok(Turn::Over(refusal)), locked.line.leave(place));
            }
            locked.line.park(&place, waker);
            self.place = Some(place);
            let until = refusal.after.map_or(self.until, |after| self.until.min(now + after));
            (Err(until), None)
        });
        if let Some(next) = next {
            next.wake();
        }
        let admitted = match &turn {
            Ok(Turn::Go { epoch }) => Some(epoch),
            Ok(Turn::Over(_)) | Err(_) => None,
        };
        self.shared.tell_with(changed, admitted);
        turn
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let next = self.shared.change(|locked, _| locked.line.leave(place));
            if let Some(next) = next {
                next.wake();
            }
        }
    }
}
