//! Calls that several callers share: one for each key at a time.
//!
//! What asks for the same thing at the same time makes one call. The call belongs to the key and not to
//! whoever came first: it is polled by one of those who wait for it, by another one when that one goes
//! away, and dropped when the last one does.
//!
//! [`Flights`] are the calls that run, and a [`Seat`] is a place in one. What layers do with them is a [`Journey`]: who joins
//! waits no longer than it must, and who waited in vain makes the call once more.

use std::{
    fmt,
    hash::Hash,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pub use self::{
    carrier::{Callee, Calls, Carrier, Own, Role, Shares, Turn},
    failure::{Failure, SharedCallFailed},
    journey::Journey,
    wait::Wait,
};
use self::{
    flight::Flight,
    table::{Hashed, Table},
};

mod carrier;
mod failure;
mod flight;
mod heir;
mod journey;
mod sleepers;
mod table;
#[cfg(test)]
mod tests;
mod wait;

/// The calls that are shared at present, by key.
///
/// A call gives `O` to the caller that began it, and `S`, which is made of that once and cloned, to each of
/// the others if there are any. Clones of this share one table. It holds as many keys as there are calls
/// running, and allocates for a call twice, and for those who join it the memory of their wakers.
///
/// ```
/// use tower_ballast_core::flights::{Boarding, Flights, Landed};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let flights = Flights::<&str, u32, String>::new();
///
/// let Boarding::First(start) = flights.board("answer") else { panic!("nobody was there") };
/// let first = start.with(async { "42, and by whom".to_owned() }, |_| 42);
/// let Boarding::Joined(second) = flights.board("answer") else { panic!("it is on its way") };
///
/// assert_eq!(first.await, Landed::Led("42, and by whom".to_owned()));
/// assert_eq!(second.await, Landed::Shared(42));
/// # });
/// ```
pub struct Flights<K, S, O> {
    table: Arc<Table<K, S, O>>,
}

/// What a caller finds.
#[must_use]
pub enum Boarding<K: Eq + Hash, S, O> {
    /// Nobody asks for it: the caller begins the call.
    First(Start<K, S, O>),
    /// The call runs, and the caller waits for it.
    Joined(Seat<K, S, O>),
}

/// The right to begin a call, and the duty: whoever joins it waits for it.
///
/// When it is dropped, those who have joined are told that the call [failed](Landed::Failed).
pub struct Start<K: Eq + Hash, S, O> {
    seat: Seat<K, S, O>,
}

/// A caller's place in a shared call, a future that gives what the call gave.
///
/// The call makes progress while those who wait for it are polled, the first of them above all. One that is
/// kept and not polled for long holds up the others, until another one joins.
pub struct Seat<K: Eq + Hash, S, O> {
    flight: Arc<Flight<S, O>>,
    has_landed: bool,
    table: Arc<Table<K, S, O>>,
    key: Hashed<K>,
    number: u64,
}

/// How a shared call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed<S, O> {
    /// To the one that began it.
    Led(O),
    /// To each of the others.
    Shared(S),
    /// It panicked, or was never begun. The panic goes on in the caller that began it.
    Failed,
}

impl<K, S, O> Flights<K, S, O> {
    /// No calls yet.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Arc::new(Table::new()) }
    }

    /// How many calls run that may be joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no call runs that may be joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets no one join the calls that run: who comes from now on begins another one.
    pub fn detach_all(&self) {
        self.table.clear();
    }
}

impl<K: Clone + Eq + Hash, S, O> Flights<K, S, O> {
    /// Joins the call for `key`, or begins it.
    pub fn board(&self, key: K) -> Boarding<K, S, O> {
        let key = self.table.hashed(key);
        let (flight, number) = self.table.join(&key);
        self.seated(flight, key, number)
    }

    /// Joins or begins the next call for the same key. All who have waited for one call in vain share the next one, also
    /// those who come when that is over.
    pub fn board_again(&self, seat: &Seat<K, S, O>) -> Boarding<K, S, O> {
        let (flight, number) = seat.flight.heir.join(|| self.table.join(&seat.key));
        self.seated(flight, seat.key.clone(), number)
    }

    fn seated(&self, flight: Arc<Flight<S, O>>, key: Hashed<K>, number: u64) -> Boarding<K, S, O> {
        let table = Arc::clone(&self.table);
        let seat = Seat { flight, has_landed: false, table, key, number };
        if seat.leads() { Boarding::First(Start { seat }) } else { Boarding::Joined(seat) }
    }
}

impl<K: Clone + Eq + Hash, S, O> Flights<K, S, O> {
    /// Lets no one join the call for `key`: who comes from now on begins another one.
    pub fn detach(&self, key: &K) {
        self.table.remove(&self.table.hashed(key.clone()));
    }
}

impl<K: Eq + Hash, S, O> Start<K, S, O> {
    /// What the call is for.
    #[must_use]
    pub const fn key(&self) -> &K {
        self.seat.key()
    }

    /// Begins the call, of whose outcome `share` makes what the others get. It is not polled before one of
    /// its callers is.
    pub fn with<F>(self, work: F, share: fn(&O) -> S) -> Seat<K, S, O>
    where
        F: Future<Output = O> + Send + 'static,
    {
        self.seat.flight.depart(Box::pin(work), share);
        self.seat
    }
}

impl<K: Eq + Hash, S, O> Seat<K, S, O> {
    /// Whether it is the one that began the call.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.number == Flight::<S, O>::FIRST
    }

    /// Lets no one join the call any more: who comes from now on begins another one.
    pub fn close(&self) {
        self.table.unlist(&self.key, &self.flight);
    }

    /// What the call is for.
    #[must_use]
    pub const fn key(&self) -> &K {
        &self.key.key
    }
}

impl<K, S, O> Future for Seat<K, S, O>
where
    K: Eq + Hash,
    S: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    type Output = Landed<S, O>;

    /// # Panics
    ///
    /// When it is polled after it was ready, or the call that it began panicked.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.has_landed, "`Seat` polled after it was ready");
        let unlist = || this.table.unlist(&this.key, &this.flight);
        let landed = std::task::ready!(Flight::poll(&this.flight, this.number, cx.waker(), unlist));
        this.has_landed = true;
        Poll::Ready(landed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

// Its key and what it gives are never pinned.
impl<K: Eq + Hash, S, O> Unpin for Seat<K, S, O> {}

impl<K: Eq + Hash, S, O> Drop for Seat<K, S, O> {
    fn drop(&mut self) {
        if !self.has_landed {
            self.flight.leave(self.number, || self.table.unlist(&self.key, &self.flight));
        }
    }
}

impl<K, S, O> Clone for Flights<K, S, O> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

impl<K, S, O> Default for Flights<K, S, O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, S, O> fmt::Debug for Flights<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, S, O> fmt::Debug for Boarding<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::First(_)) { "First" } else { "Joined" })
    }
}

impl<K: Eq + Hash, S, O> fmt::Debug for Start<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Start")
    }
}

impl<K: Eq + Hash, S, O> fmt::Debug for Seat<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("leads", &self.leads()).finish_non_exhaustive()
    }
}
