use std::{fmt, future::Future, thread};

use super::{client::Client, stage::Stage};

/// How many others there are beside the first one.
const OTHERS: usize = 3;
/// More steps than any scene takes that has an end.
const MOST: usize = 10_000;

/// A moment at which the first one goes away, and all that has happened before.
///
/// ```
/// use tower_ballast_test::leaving::{Moment, Order, Stage};
///
/// let stage = Stage::new();
/// // It goes away after two steps, and has begun a call.
/// let moment = Moment::new(Order::Alone).leaves(2);
/// let crowd = moment.run(&stage, || {
///     let stage = stage.clone();
///     Some(async move {
///         let call = stage.begin();
///         stage.steps(5).await;
///         call
///     })
/// });
/// assert!(crowd.has_left && crowd.first.is_none());
/// assert_eq!(crowd.others.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 3, 4]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    order: Order,
    comes: usize,
    leaves: Option<usize>,
    another: bool,
}

/// In which order callers are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first one at each step, woken or not. The others are called and not polled before it is
    /// gone, so nothing is to be asked of a layer in which one joins when it is polled. The service
    /// asks to be polled again at once.
    Alone,
    /// The first one at each step, woken or not, and then all that were woken. Here and in what
    /// follows those who come are polled at once. The service asks to be polled again at once.
    Together,
    /// The same, and what the service waits for comes before each step.
    Held,
    /// One that was woken at each step, the first one before the others. What the service waits for
    /// comes when nobody is woken any more.
    First,
    /// The same, and the others before the first one.
    Last,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Alone, Self::Together, Self::Held, Self::First, Self::Last];
}

/// What became of all who called.
pub struct Crowd<T> {
    /// What the first one was told, if it was told anything before it went away; an `Err` is a panic
    /// that it saw.
    pub first: Option<thread::Result<T>>,
    /// What the others were told, in the order in which they came.
    pub others: Vec<thread::Result<T>>,
    /// Whether the first one went away before it was told anything.
    pub has_left: bool,
}

impl<T> Crowd<T> {
    /// Whether all others were told something of which `is_so` holds.
    #[must_use]
    pub fn are_others(&self, is_so: impl Fn(&T) -> bool) -> bool {
        self.others.iter().all(|told| told.as_ref().is_ok_and(&is_so))
    }
}

impl<T> fmt::Debug for Crowd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.len();
        let mut crowd = f.debug_struct("Crowd");
        crowd.field("has_left", &self.has_left).field("others", &others).finish_non_exhaustive()
    }
}

/// Goes through all moments in these orders until the first one has been told everything, and gives how many there
/// were. `scene` has to tell whether the first one [has left](Crowd::has_left).
///
/// # Panics
///
/// When the first one is never told anything.
///
/// ```
/// use tower_ballast_test::leaving::{Order, Stage, each};
///
/// let moments = each(Order::ALL, |moment| {
///     let stage = Stage::new();
///     moment.run(&stage, || Some(stage.steps(4))).has_left
/// });
/// assert!(moments > 200, "{moments}");
/// ```
pub fn each(
    orders: impl IntoIterator<Item = Order>,
    mut scene: impl FnMut(Moment) -> bool,
) -> usize {
    let mut moments = 0;
    for order in orders {
        for leaves in 0.. {
            assert!(leaves < MOST, "the first one is never told anything");
            let mut has_left = false;
            for comes in 0..=leaves {
                for another in [false, true] {
                    moments += 1;
                    has_left |= scene(Moment { order, comes, leaves: Some(leaves), another });
                }
            }
            if !has_left {
                break;
            }
        }
    }
    moments
}

impl Moment {
    /// All come at once, and nobody goes away.
    #[must_use]
    pub const fn new(order: Order) -> Self {
        Self { order, comes: 0, leaves: None, another: false }
    }

    /// After how many steps the others come. Default: 0.
    #[must_use]
    pub const fn comes(self, steps: usize) -> Self {
        Self { comes: steps, ..self }
    }

    /// After how many steps the first one goes away. Default: never.
    #[must_use]
    pub const fn leaves(self, steps: usize) -> Self {
        Self { leaves: Some(steps), ..self }
    }

    /// Whether one more comes when the first one is gone. Default: no.
    #[must_use]
    pub const fn another(self, another: bool) -> Self {
        Self { another, ..self }
    }

    /// Whether one more comes when the first one is gone.
    #[must_use]
    pub const fn has_another(self) -> bool {
        self.another
    }

    /// Lets them call, go away and be told. `call` makes the call of one who comes, or none when none
    /// is to come any more.
    ///
    /// # Panics
    ///
    /// When somebody waits who is never woken, or never comes to an end, or the first one does not come.
    pub fn run<F: Future>(
        self,
        stage: &Stage,
        call: impl FnMut() -> Option<F>,
    ) -> Crowd<F::Output> {
        self.run_with(stage, call, || ())
    }

    /// The same, and does something in the moment in which the first one goes away.
    ///
    /// # Panics
    ///
    /// When somebody waits who is never woken, or never comes to an end, or the first one does not come.
    pub fn run_with<F: Future>(
        self,
        stage: &Stage,
        mut call: impl FnMut() -> Option<F>,
        goes: impl FnOnce(),
    ) -> Crowd<F::Output> {
        stage.hold(!matches!(self.order, Order::Alone | Order::Together));
        let first = Some(Client::new(call().expect("the first one comes")));
        let mut scene = Scene { order: self.order, first, others: Vec::new() };
        let (mut goes, mut told, mut has_left) = (Some(goes), None, false);
        for step in 0.. {
            if step == self.comes {
                scene.others.extend((0..OTHERS).filter_map(|_| call()).map(Client::new));
                if self.order != Order::Alone {
                    scene.all_go_on();
                }
            }
            if Some(step) == self.leaves
                && let Some(goes) = goes.take()
            {
                goes();
                told = scene.first.take().and_then(|first| first.end);
                has_left = told.is_none();
                let another = self.another.then(&mut call).flatten();
                scene.others.extend(another.map(Client::new));
            }
            if self.order == Order::Held {
                stage.go_on();
            }
            if scene.step() || stage.go_on() {
                assert!(step < MOST, "someone never ends: {self:?}");
                continue;
            }
            assert!(scene.is_over(), "someone waits who is never woken: {self:?}");
            if step >= self.comes && self.leaves.is_none_or(|leaves| step >= leaves) {
                break;
            }
        }
        let others = scene.others.into_iter().filter_map(|other| other.end).collect();
        Crowd { first: told.or_else(|| scene.first?.end), others, has_left }
    }
}

struct Scene<F: Future> {
    order: Order,
    first: Option<Client<F>>,
    others: Vec<Client<F>>,
}

impl<F: Future> Scene<F> {
    fn all_go_on(&mut self) -> bool {
        let polled = self.others.iter_mut().filter_map(|other| other.go_on().then_some(()));
        polled.count() > 0
    }

    /// Polls one or more, and tells whether there was one to be polled.
    fn step(&mut self) -> bool {
        let first = self.first.as_mut().filter(|first| first.end.is_none());
        match (self.order, first) {
            (Order::First, first) => first.into_iter().chain(&mut self.others).any(Client::go_on),
            (Order::Last, first) => self.others.iter_mut().chain(first).any(Client::go_on),
            (Order::Alone, Some(first)) => {
                first.poll();
                true
            }
            (Order::Together | Order::Held, Some(first)) => {
                first.poll();
                self.all_go_on();
                true
            }
            (Order::Alone | Order::Together | Order::Held, None) => self.all_go_on(),
        }
    }

    fn is_over(&self) -> bool {
        self.first.iter().chain(&self.others).all(|client| client.end.is_some())
    }
}
