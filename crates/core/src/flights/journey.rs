//! A request's way through a shared call to its answer.

use std::{
    fmt,
    hash::Hash,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{Boarding, Carrier, Failure, Landed, Own, Role, Shares, Turn, Wait};
use crate::BoxError;

/// A request's way to an answer, its own or that of another one with the same key.
///
/// It joins the call that runs, or begins one. Who joined and is told a failure, or has waited long enough, makes the call
/// once more with its own request, one for all who waited in vain; that is the last chance of each of them. What is refused to
/// everybody is told at once. When an answer turns out to be for one alone, each of the others goes on by itself, all at once.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use tower_ballast_core::flights::{Calls, Carrier, Journey, Own, Role, Turn};
///
/// struct Doubles(Calls<u32, u32>);
///
/// impl Carrier<()> for Doubles {
///     type Key = u32;
///     type Value = u32;
///
///     fn calls(&self) -> &Calls<u32, u32> {
///         &self.0
///     }
///
///     fn longest_wait(&self) -> Duration {
///         Duration::MAX
///     }
///
///     async fn call(self: Arc<Self>, key: u32, (): (), _: Turn) -> Own<u32> {
///         Own::for_all(Ok(2 * key))
///     }
///
///     fn count(&self, role: Role) {
///         println!("{role:?}");
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let doubles = Arc::new(Doubles(Calls::new()));
/// let (first, second) = (Journey::begin(&doubles, 21, ()), Journey::begin(&doubles, 21, ()));
/// assert_eq!((first.await.unwrap(), second.await.unwrap()), (42, 42));
/// # });
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Journey<C, E, K: Eq + Hash, V> {
    carrier: Arc<C>,
    stage: Stage<E, K, V>,
}

enum Stage<E, K: Eq + Hash, V> {
    Waiting { wait: Wait<K, Shares<V>, Own<V>>, chance: Chance<E> },
    Alone(Pin<Box<dyn Future<Output = Own<V>> + Send>>),
}

/// What one who waits can make a call with.
enum Chance<E> {
    /// Nothing, since it made the one it waits for.
    Taken,
    /// That call once more if it was in vain, or one for itself alone.
    Again(E),
    /// One for itself alone.
    Last(E),
}

impl<C, E, K, V> Journey<C, E, K, V>
where
    C: Carrier<E, Key = K, Value = V>,
    K: Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the call for `key`, or makes it with `errand`.
    pub fn begin(carrier: &Arc<C>, key: K, errand: E) -> Self {
        let boarding = carrier.calls().board(key);
        let stage = Stage::seated(carrier, boarding, errand, Turn::First);
        if matches!(stage, Stage::Waiting { chance: Chance::Again(_), .. }) {
            carrier.count(Role::Joined);
        }
        Self { carrier: Arc::clone(carrier), stage }
    }

    /// Makes the call for this request alone.
    pub fn alone(carrier: &Arc<C>, key: K, errand: E) -> Self {
        Self { carrier: Arc::clone(carrier), stage: Stage::alone(carrier, key, errand) }
    }
}

impl<E, K, V> Stage<E, K, V>
where
    K: Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
{
    fn seated<C>(
        carrier: &Arc<C>,
        boarding: Boarding<K, Shares<V>, Own<V>>,
        errand: E,
        turn: Turn,
    ) -> Self
    where
        C: Carrier<E, Key = K, Value = V>,
    {
        let is_last = turn == Turn::Again;
        let limit = if is_last { Duration::MAX } else { carrier.longest_wait() };
        let (seat, chance) = match boarding {
            Boarding::First(start) => {
                carrier.count(Role::Led);
                let call = Arc::clone(carrier).call(start.key().clone(), errand, turn);
                (start.with(call, Own::share), Chance::Taken)
            }
            Boarding::Joined(seat) if is_last => (seat, Chance::Last(errand)),
            Boarding::Joined(seat) => (seat, Chance::Again(errand)),
        };
        Self::Waiting { wait: Wait::new(seat, limit), chance }
    }

    fn alone<C: Carrier<E, Key = K, Value = V>>(carrier: &Arc<C>, key: K, errand: E) -> Self {
        carrier.count(Role::Alone);
        Self::Alone(Box::pin(Arc::clone(carrier).call(key, errand, Turn::Alone)))
    }
}

impl<C, E, K, V> Future for Journey<C, E, K, V>
where
    C: Carrier<E, Key = K, Value = V>,
    K: Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
{
    type Output = Result<V, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { carrier, stage } = self.get_mut();
        loop {
            let (wait, chance) = match stage {
                Stage::Waiting { wait, chance } => (wait, chance),
                Stage::Alone(call) => return call.as_mut().poll(cx).map(|own| own.outcome),
            };
            let failure = match ready!(Pin::new(&mut *wait).poll(cx)) {
                Some(Landed::Led(own)) => return Poll::Ready(own.outcome),
                Some(Landed::Shared(Shares::Value(value))) => return Poll::Ready(Ok(value)),
                Some(Landed::Shared(Shares::Alone)) => None,
                Some(Landed::Shared(Shares::Failed(failure))) => Some(failure),
                Some(Landed::Failed) | None => Some(Failure::panicked()),
            };
            *stage = match (mem::replace(chance, Chance::Taken), failure) {
                (Chance::Again(errand) | Chance::Last(errand), None) => {
                    Stage::alone(carrier, wait.seat().key().clone(), errand)
                }
                // One of those who waited in vain makes the call anew, and the others wait for that.
                (Chance::Again(errand), Some(failure)) if !failure.is_for_all() => {
                    let boarding = carrier.calls().board_again(wait.seat());
                    Stage::seated(carrier, boarding, errand, Turn::Again)
                }
                (_, failure) => {
                    carrier.count(Role::Failed);
                    let failure = failure.unwrap_or(Failure::panicked());
                    return Poll::Ready(Err(failure.into_error()));
                }
            };
        }
    }
}

// Neither what is asked for nor what it is asked with is ever pinned.
impl<C, E, K: Eq + Hash, V> Unpin for Journey<C, E, K, V> {}

impl<C, E, K: Eq + Hash, V> fmt::Debug for Journey<C, E, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::Waiting { .. } => "Journey(waiting)",
            Stage::Alone(_) => "Journey(alone)",
        })
    }
}
