//! One shared call, and who polls it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use super::{Landed, heir::Heir, sleepers::Sleepers};
use crate::sync::Mutex;

type Work<O> = Pin<Box<dyn Future<Output = O> + Send>>;
type Panic = Box<dyn Any + Send>;
type Share<S, O> = fn(&O) -> S;

/// A call and its callers. It is also what wakes the one that polls it.
pub(super) struct Flight<S, O> {
    locked: Mutex<Locked<S, O>>,
    pub(super) heir: Heir<S, O>,
}

struct Locked<S, O> {
    phase: Phase<S, O>,
    share: Option<Share<S, O>>,
    /// How many callers there are, and the number of the next one.
    callers: usize,
    next: u64,
    sleepers: Sleepers,
    /// Who polls the call. None when that one has gone away.
    driver: Option<u64>,
    /// The call wants to be polled, and has not been since.
    due: bool,
    /// Some may come for what it gave when it is over.
    is_heir: bool,
}

enum Phase<S, O> {
    /// The call is with the one that begins or polls it.
    Out,
    /// It lies here until it wants to be polled.
    Here(Work<O>),
    /// What it gave: without a panic for all, and what is for the first caller alone.
    Over { shared: Option<Arc<S>>, own: Option<Result<O, Panic>> },
}

impl<S, O> Flight<S, O> {
    /// The number of the caller that began it.
    pub(super) const FIRST: u64 = 0;

    pub(super) fn new() -> Self {
        let (phase, sleepers, driver) = (Phase::Out, Sleepers::default(), Some(Self::FIRST));
        let (share, due, is_heir) = (None, false, false);
        let locked = Locked { phase, share, callers: 1, next: 1, sleepers, driver, due, is_heir };
        Self { locked: Mutex::new(locked), heir: Heir::none() }
    }

    /// One caller more, though the call may be over; none when nobody polls it any more.
    pub(super) fn join_late(&self) -> Option<u64> {
        self.with(|locked| {
            if locked.callers == 0 && !matches!(locked.phase, Phase::Over { .. }) {
                return None;
            }
            locked.callers += 1;
            locked.next += 1;
            Some(locked.next - 1)
        })
    }

    /// One caller more, and its number; none when the call is over.
    pub(super) fn join(&self) -> Option<u64> {
        self.with(|locked| {
            if matches!(locked.phase, Phase::Over { .. }) || locked.callers == 0 {
                return None;
            }
            locked.callers += 1;
            locked.next += 1;
            Some(locked.next - 1)
        })
    }

    /// Some may come for what it gave when it is over.
    pub(super) fn mark_as_heir(&self) {
        self.with(|locked| locked.is_heir = true);
    }

    /// The first caller has made the call.
    pub(super) fn depart(&self, work: Work<O>, share: Share<S, O>) {
        self.with(|locked| {
            (locked.phase, locked.share, locked.due) = (Phase::Here(work), Some(share), true);
        });
    }

    /// A caller goes away. Another one polls the call; with the last one it is dropped.
    pub(super) fn leave(&self, number: u64, unlist: impl FnOnce()) {
        let left = self.with(|locked| {
            locked.callers -= 1;
            let _waker = locked.sleepers.remove(number);
            if locked.callers == 0 {
                return Left::Empty;
            }
            if locked.driver.is_some_and(|driver| driver != number) {
                return Left::Well;
            }
            match locked.phase {
                Phase::Out => {
                    locked.phase = Phase::Over { shared: None, own: None };
                    Left::NotBegun(mem::take(&mut locked.sleepers))
                }
                Phase::Here(_) => locked.hand_over(),
                Phase::Over { .. } => Left::Well,
            }
        });
        match left {
            Left::Well => {}
            Left::Woken(waker) => waker.wake(),
            Left::NotBegun(sleepers) => {
                unlist();
                sleepers.wake_all();
            }
            Left::Empty => {
                unlist();
                drop(self.with(|locked| mem::replace(&mut locked.phase, Phase::Out)));
            }
        }
    }

    fn with<T>(&self, with: impl FnOnce(&mut Locked<S, O>) -> T) -> T {
        // Nothing of a user runs under this lock but clones and drops of wakers; each change is whole.
        with(&mut self.locked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S, O> Flight<S, O>
where
    S: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    /// Polls the call if that is the caller's business now, else waits for it.
    pub(super) fn poll(
        flight: &Arc<Self>,
        number: u64,
        waker: &Waker,
        unlist: impl FnOnce(),
    ) -> Poll<Result<Landed<S, O>, Panic>> {
        let step = flight.with(|locked| {
            let is_driver = locked.due || locked.driver.is_none_or(|driver| driver == number);
            match mem::replace(&mut locked.phase, Phase::Out) {
                Phase::Over { shared, mut own } => {
                    let mine = if number == Self::FIRST { own.take() } else { None };
                    locked.phase = Phase::Over { shared: shared.clone(), own };
                    return Step::Landed(shared, mine);
                }
                Phase::Here(work) if is_driver => {
                    (locked.driver, locked.due) = (Some(number), false);
                    locked.sleepers.put(number, waker);
                    return Step::Drive(work);
                }
                phase => locked.phase = phase,
            }
            locked.sleepers.put(number, waker);
            Step::Wait
        });
        match step {
            Step::Wait => Poll::Pending,
            Step::Landed(shared, own) => Poll::Ready(landed(number, shared, own)),
            Step::Drive(work) => {
                flight.drive(&Waker::from(Arc::clone(flight)), number, work, unlist)
            }
        }
    }

    fn drive(
        &self,
        waker: &Waker,
        number: u64,
        mut work: Work<O>,
        unlist: impl FnOnce(),
    ) -> Poll<Result<Landed<S, O>, Panic>> {
        let mut cx = Context::from_waker(waker);
        // A panic must not go through a caller that has not begun the call, nor leave the others waiting.
        let own = match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {
                self.with(|locked| locked.phase = Phase::Here(work));
                return Poll::Pending;
            }
            Ok(Poll::Ready(own)) => Ok(own),
            Err(panic) => Err(panic),
        };
        unlist();
        // Nobody can join any more.
        let share = match self.end_alone(number) {
            Ok(_sleepers) => return Poll::Ready(own.map(Landed::Led)),
            Err(share) => share,
        };
        let (own, shared) = shared(own, share);
        let (mine, others) =
            if number == Self::FIRST { (Some(own), None) } else { (None, Some(own)) };
        let sleepers = self.with(|locked| {
            locked.phase = Phase::Over { shared: shared.clone(), own: others };
            let _waker = locked.sleepers.remove(number);
            mem::take(&mut locked.sleepers)
        });
        sleepers.wake_all();
        Poll::Ready(landed(number, shared, mine))
    }

    /// Ends the call if the one that began it waits for it alone; else gives what makes the share of the others.
    fn end_alone(&self, number: u64) -> Result<Sleepers, Option<Share<S, O>>> {
        self.with(|locked| {
            if locked.callers > 1 || number != Self::FIRST || locked.is_heir {
                return Err(locked.share);
            }
            locked.phase = Phase::Over { shared: None, own: None };
            Ok(mem::take(&mut locked.sleepers))
        })
    }
}

/// Makes what the others get.
fn shared<S, O>(
    own: Result<O, Panic>,
    share: Option<Share<S, O>>,
) -> (Result<O, Panic>, Option<Arc<S>>) {
    match (own, share) {
        (Ok(own), Some(share)) => match catch_unwind(AssertUnwindSafe(|| share(&own))) {
            Ok(shared) => (Ok(own), Some(Arc::new(shared))),
            Err(panic) => (Err(panic), None),
        },
        (own, _) => (own, None),
    }
}

enum Step<S, O> {
    Wait,
    Drive(Work<O>),
    Landed(Option<Arc<S>>, Option<Result<O, Panic>>),
}

fn landed<S: Clone, O>(
    number: u64,
    shared: Option<Arc<S>>,
    own: Option<Result<O, Panic>>,
) -> Result<Landed<S, O>, Panic> {
    match (own, shared) {
        (Some(own), _) if number == Flight::<S, O>::FIRST => own.map(Landed::Led),
        (_, Some(shared)) => Ok(Landed::Shared(S::clone(&shared))),
        (_, None) => Ok(Landed::Failed),
    }
}

/// What a caller that has gone away leaves behind.
enum Left {
    /// Nothing that concerns another one.
    Well,
    /// The next one has to poll the call.
    Woken(Waker),
    /// A call that nobody will ever begin.
    NotBegun(Sleepers),
    /// A call for which nobody waits.
    Empty,
}

impl<S, O> Locked<S, O> {
    /// Another one polls the call from now on, at once if it wants to be polled.
    fn hand_over(&mut self) -> Left {
        let next = self.sleepers.first();
        self.driver = next.map(|(next, _)| next);
        match next {
            Some((_, waker)) if self.due => Left::Woken(waker.clone()),
            _ => Left::Well,
        }
    }
}

/// Wakes the one that polls the call.
impl<S, O> Wake for Flight<S, O>
where
    S: Send + Sync + 'static,
    O: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = self.with(|locked| {
            locked.due = true;
            locked.driver.and_then(|driver| locked.sleepers.get(driver).cloned())
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
