use tower_ballast_core::{Attempt, Deadline, Facts, Key, Mark, Priority};

/// One call of a scenario, as it goes through the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Which client makes it, counted from 0.
    pub client: u32,
    /// The calls of a scenario are counted from 0, as they are made.
    pub number: u64,
    /// How much it matters.
    pub priority: Priority,
    /// By when its client wants the answer.
    pub deadline: Option<Deadline>,
    /// Which attempt it is, once a retrying layer has said so.
    pub attempt: Option<Attempt>,
}

/// What layers may know of a [`Call`]: all of it. Its key is the client, and it may be repeated.
///
/// ```
/// use tower_ballast_core::Facts;
/// use tower_ballast_test::simulator::{Call, CallFacts};
///
/// fn urgency(call: &Call) -> Option<tower_ballast_core::Priority> {
///     CallFacts.priority(call)
/// }
/// # let _ = urgency;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallFacts;

impl Facts<Call> for CallFacts {
    fn deadline(&self, call: &Call) -> Option<Deadline> {
        call.deadline
    }

    fn priority(&self, call: &Call) -> Option<Priority> {
        Some(call.priority)
    }

    fn key(&self, call: &Call) -> Option<Key> {
        Some(Key::of(&call.client))
    }

    fn is_repeatable(&self, _: &Call) -> bool {
        true
    }

    fn attempt(&self, call: &Call) -> Option<Attempt> {
        call.attempt
    }

    fn mark(&self, call: &mut Call, mark: Mark) {
        match mark {
            Mark::Attempt(attempt) => call.attempt = Some(attempt),
            Mark::Deadline(deadline) => call.deadline = Some(deadline),
            _ => {}
        }
    }
}
