//! Who waits, and whose turn it is.

mod class;
mod eviction;
mod floors;
mod flow;
mod pace;
mod rank;
mod slab;
#[cfg(test)]
mod tests;

use std::{task::Waker, time::Duration};

use self::{
    class::Class,
    floors::Credits,
    flow::Slot,
    slab::{NONE, Slab},
};
pub use self::{
    floors::Floors,
    rank::{Place, Rank, Turn},
};
use crate::{Priority, clock::Nanos};

/// Waiting callers: by class, with a floor for each, and fair between the clients of a class.
///
/// Each turn goes to
///
/// 1. the class that has earned one by its [floor](Floors),
/// 2. else the highest class of which somebody waits;
/// 3. within it to the client whose turn it is, by deficit round robin (Shreedhar and Varghese,
///    "Efficient Fair Queuing using Deficit Round Robin", 1995), so that a client with a thousand
///    requests gets no more than one with a few; who was quiet goes before who was not (RFC 8290);
/// 4. and of this client to the request that came first.
///
/// A client saves the turns that it lets pass, four at the most, and has them before those who saved none; one that
/// sends request after request soon has none left, and as many turns as those whose requests wait. These go on
/// in any case: each of n has its turn again after one of each other and at most max(n, 64) saved ones.
///
/// It is plain data, kept under the lock of whatever the callers wait for, as
/// [`queue::Line`](crate::queue::Line) is. Only the next one asks whether it may go on; whoever ends that
/// is handed the waker of its successor, to be woken outside of the lock. Joining, leaving from
/// anywhere and finding the next take constant time.
///
/// Memory grows with the callers that wait at one time (120 bytes each, or less, and as much for each client, also
/// for those that have had theirs in the last few rounds) and is given back when nobody waits.
///
/// ```
/// use tower_ballast_core::{Priority, clock::Nanos, ranks::{Rank, Ranks}};
///
/// let (mut ranks, now) = (Ranks::new(), Nanos::ZERO);
/// let low = ranks.join(Rank { class: Priority::Low, ..Rank::default() }, now);
/// let high = ranks.join(Rank { class: Priority::High, ..Rank::default() }, now);
/// assert!(ranks.is_next(&high) && !ranks.is_next(&low));
/// ranks.serve(high, now);
/// assert!(ranks.is_next(&low));
/// # ranks.leave(low);
/// ```
#[derive(Debug)]
pub struct Ranks {
    slots: Slab<Slot>,
    classes: [Class; 4],
    credits: Credits,
}

impl Default for Ranks {
    fn default() -> Self {
        Self::new()
    }
}

impl Ranks {
    /// Nobody waits; the default [`Floors`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Slab::new(),
            classes: Priority::ALL.map(|_| Class::new()),
            credits: Credits::new(Floors::default()),
        }
    }

    /// Changes the floors. Credits that were earned stay.
    pub fn set_floors(&mut self, floors: Floors) {
        self.credits.floors = floors;
    }

    /// The floors.
    #[must_use]
    pub const fn floors(&self) -> Floors {
        self.credits.floors
    }

    /// Whether of one client's requests in a class the newest goes first. Default: the oldest.
    ///
    /// Under overload the newest is the one whose caller is the least likely to have given up.
    pub fn set_newest_first(&mut self, class: Priority, newest_first: bool) {
        self.classes[class.index()].newest_first = newest_first;
    }

    /// Takes over how others are ranked, but nobody of those who wait.
    pub fn rank_as(&mut self, others: &Self) {
        self.credits.floors = others.floors();
        for (class, other) in self.classes.iter_mut().zip(&others.classes) {
            class.newest_first = other.newest_first;
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.classes.iter().map(|class| class.len).sum()
    }

    /// How many of a class wait.
    #[must_use]
    pub const fn len_of(&self, class: Priority) -> u32 {
        self.classes[class.index()].len
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.iter().all(|class| class.len == 0)
    }

    /// How long a newcomer would wait, by the time between turns that its class has lately had;
    /// zero as long as that is not known.
    #[must_use]
    pub fn wait_of(&self, rank: &Rank) -> Duration {
        let class = &self.classes[rank.class.index()];
        class.pace.time_for(class.cost_ahead(rank.client, rank.cost))
    }

    /// Whether a newcomer would foreseeably wait no longer than so long.
    ///
    /// Only who waits finds out that it goes faster now; if a slow time that has passed turned all away,
    /// nobody ever would. So where nobody of the class has waited for eight times that long, one may do so,
    /// and its turn says how long a turn takes from then on.
    pub fn may_wait(&mut self, rank: &Rank, now: Nanos, patience: Duration) -> bool {
        let is_foreseen = self.wait_of(rank) <= patience;
        let class = &mut self.classes[rank.class.index()];
        is_foreseen || class.len == 0 && class.pace.may_look(now, patience)
    }

    /// Whether a newcomer may join where `most` of each class may wait.
    ///
    /// A client may take as many places as are free, and no more, so a greedy one fills half of
    /// them and leaves room for who comes next (Choudhury and Hahne, "Dynamic Queue Length
    /// Thresholds for Shared-Memory Packet Switches", 1998). Requests without a client may take
    /// all.
    ///
    /// ```
    /// use tower_ballast_core::{Key, clock::Nanos, ranks::{Rank, Ranks}};
    ///
    /// let (mut ranks, greedy) = (Ranks::new(), Rank { client: Some(Key::of("a")), ..Rank::default() });
    /// let mut places = Vec::new();
    /// while ranks.has_room(&greedy, 100) {
    ///     places.push(ranks.join(greedy, Nanos::ZERO));
    /// }
    /// assert_eq!(ranks.len(), 50);
    /// assert!(ranks.has_room(&Rank { client: Some(Key::of("b")), ..Rank::default() }, 100));
    /// # for place in places { ranks.leave(place); }
    /// ```
    #[must_use]
    pub fn has_room(&self, rank: &Rank, most: u32) -> bool {
        self.own(rank) < most.saturating_sub(self.len_of(rank.class))
    }

    /// Takes a place.
    ///
    /// # Panics
    ///
    /// With 2^32 callers waiting; their memory would be gone long before.
    pub fn join(&mut self, rank: Rank, now: Nanos) -> Place {
        let number = self.slots.insert(Slot::new(rank.class, rank.cost.max(1), now));
        let class = &mut self.classes[rank.class.index()];
        if class.len == 0 {
            class.pace.begin(now);
        }
        class.join(&mut self.slots, number, rank.client);
        Place(number)
    }

    /// Whether it is this caller's turn.
    #[must_use]
    pub fn is_next(&self, place: &Place) -> bool {
        self.next() == place.0
    }

    /// Whose turn it is.
    #[must_use]
    pub fn turn(&self) -> Turn {
        Turn(self.next())
    }

    /// Whether this caller has lost its place to another and has only to [leave](Self::leave).
    #[must_use]
    pub fn is_evicted(&self, place: &Place) -> bool {
        self.slots.get(place.0).evicted
    }

    /// What this caller's request takes.
    #[must_use]
    pub fn cost(&self, place: &Place) -> u32 {
        self.slots.get(place.0).cost
    }

    /// Leaves word whom to wake; the last word counts.
    pub fn park(&mut self, place: &Place, waker: &Waker) {
        match &mut self.slots.at(place.0).waker {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// The next one has its turn: gives the place back and counts it against class and client.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn serve(&mut self, place: Place, now: Nanos) {
        debug_assert!(self.is_next(&place), "only the next one is served");
        let Slot { class, cost, .. } = *self.slots.get(place.0);
        self.credits.turn(class.index(), cost, &self.classes);
        self.classes[class.index()].pace.turn(now, cost);
        self.take_out(place.0, true);
        self.slots.remove(place.0);
    }

    /// Gives a place back without a turn, and says whether the next one is now another.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn leave(&mut self, place: Place) -> bool {
        // Not only who was the next: behind the head of a class may be one that has earned its turn.
        let before = self.turn();
        if !self.is_evicted(&place) {
            self.take_out(place.0, false);
        }
        self.slots.remove(place.0);
        self.turn() != before
    }

    /// Puts out whoever of a class came last. Its waker is returned, if it left one, so that it
    /// can be told.
    #[must_use = "who was put out has to be woken"]
    pub fn evict_newest(&mut self, class: Priority) -> Option<Waker> {
        self.evict(self.classes[class.index()].newest())
    }

    /// The waker of the next one, when there may be room for it.
    #[must_use = "the next caller has to be woken"]
    pub fn next_waker(&mut self) -> Option<Waker> {
        match self.next() {
            NONE => None,
            next => self.slots.at(next).waker.take(),
        }
    }

    /// How many places its client has, if it names one.
    fn own(&self, rank: &Rank) -> u32 {
        rank.client.map_or(0, |_| self.classes[rank.class.index()].len_of(rank.client))
    }

    fn next(&self) -> u32 {
        let heads = self.classes.each_ref().map(Class::next);
        let costs = heads.map(|head| (head != NONE).then(|| self.slots.get(head).cost));
        match self.credits.earned(costs) {
            Some(class) => heads[class],
            None => heads.into_iter().find(|head| *head != NONE).unwrap_or(NONE),
        }
    }

    /// Its waker goes with it: that holds a task in memory, and the slot may be free for long.
    fn take_out(&mut self, number: u32, served: bool) -> Option<Waker> {
        let class = self.slots.get(number).class.index();
        self.classes[class].take_out(&mut self.slots, number, served);
        if self.classes[class].len == 0 {
            self.credits.emptied(class);
        }
        self.slots.at(number).waker.take()
    }
}
