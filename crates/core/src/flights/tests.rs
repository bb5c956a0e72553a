use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{Random, clock};

type Calls = Flights<u32, u32, &'static str>;
type Caller = Pin<Box<Seat<u32, u32, &'static str>>>;

#[test]
fn a_thousand_callers_make_one_call_and_all_are_answered() {
    let (flights, call) = (Calls::new(), Call::default());
    let mut callers: Vec<Caller> = (0..1000).map(|_| board(&flights, &call)).collect();
    assert!(callers.iter_mut().all(|caller| poll(caller).is_pending()));
    assert_eq!((call.begun(), call.polled()), (1, 1), "one caller polls for all");
    call.finish();
    let landed: Vec<_> = callers.iter_mut().map(|caller| ready(caller)).collect();
    assert_eq!(landed[0], Landed::Led("led"));
    assert!(landed[1..].iter().all(|landed| *landed == Landed::Shared(7)));
    assert_eq!((call.begun(), call.polled(), flights.len()), (1, 2, 0));
}

#[test]
fn one_wake_of_the_call_wakes_one_caller() {
    let (flights, call) = (Calls::new(), Call::default());
    let wakers: Vec<_> = (0..100).map(|_| Arc::new(Woken::default())).collect();
    let mut callers: Vec<Caller> = wakers.iter().map(|_| board(&flights, &call)).collect();
    for (caller, waker) in callers.iter_mut().zip(&wakers) {
        assert!(poll_with(caller, waker).is_pending());
    }
    call.wake();
    assert_eq!(wakers.iter().map(|waker| waker.count()).sum::<u32>(), 1);
    assert_eq!(wakers[0].count(), 1);
}

#[test]
fn the_call_goes_on_when_the_one_that_polls_it_goes_away() {
    for polled in [false, true] {
        let (flights, call) = (Calls::new(), Call::default());
        let (mut first, mut second) = (board(&flights, &call), board(&flights, &call));
        let woken = Arc::new(Woken::default());
        if polled {
            assert!(poll(&mut first).is_pending());
        }
        assert!(poll_with(&mut second, &woken).is_pending());
        drop(first);
        call.finish();
        assert_eq!(woken.count(), 1, "polled: {polled}");
        assert_eq!(ready(&mut second), Landed::Shared(7));
        assert_eq!(call.begun(), 1);
    }
}

#[test]
fn one_that_joins_polls_a_call_whose_turn_is_missed_by_another() {
    let (flights, call) = (Calls::new(), Call::default());
    let mut idle = board(&flights, &call);
    assert!(poll(&mut idle).is_pending());
    call.finish(); // `idle` is woken and does not come
    assert_eq!(ready(&mut board(&flights, &call)), Landed::Shared(7));
    assert_eq!(ready(&mut idle), Landed::Led("led"));
}

#[test]
fn the_call_is_dropped_with_its_last_caller() {
    let (flights, call) = (Calls::new(), Call::default());
    let mut callers = vec![board(&flights, &call), board(&flights, &call)];
    assert!(callers.iter_mut().all(|caller| poll(caller).is_pending()));
    callers.pop();
    assert!(!call.is_dropped());
    callers.pop();
    assert!(call.is_dropped());
    assert!(flights.is_empty());
}

#[test]
fn who_comes_after_the_end_begins_another_call() {
    let (flights, call) = (Calls::new(), Call::default());
    call.finish();
    let mut first = board(&flights, &call);
    let mut second = board(&flights, &call);
    assert_eq!(ready(&mut first), Landed::Led("led"));
    assert_eq!(ready(&mut board(&flights, &call)), Landed::Led("led"));
    assert_eq!(ready(&mut second), Landed::Shared(7));
    assert_eq!(call.begun(), 2);
}

#[test]
fn all_who_waited_in_vain_share_the_next_call_also_those_who_come_when_it_is_over() {
    let (flights, call, next) = (Calls::new(), Call::default(), Call::default());
    let (first, second, third) =
        (board(&flights, &call), board(&flights, &call), board(&flights, &call));
    flights.detach_all();
    next.finish();
    let mut led = board_again(&flights, &first, &next);
    assert_eq!(ready(&mut led), Landed::Led("led"));
    assert_eq!(ready(&mut board_again(&flights, &second, &next)), Landed::Shared(7));
    assert_eq!(ready(&mut board_again(&flights, &third, &next)), Landed::Shared(7));
    assert_eq!(next.begun(), 1);
}

#[test]
fn a_next_call_that_all_have_left_is_begun_anew() {
    let (flights, call, next) = (Calls::new(), Call::default(), Call::default());
    let (first, second) = (board(&flights, &call), board(&flights, &call));
    flights.detach_all();
    let mut led = board_again(&flights, &first, &next);
    assert!(poll(&mut led).is_pending());
    drop(led);
    let again = Call::default();
    again.finish();
    assert_eq!(ready(&mut board_again(&flights, &second, &again)), Landed::Led("led"));
    assert_eq!((next.is_dropped(), again.begun()), (true, 1));
}

#[test]
fn nobody_joins_a_detached_call_and_its_callers_are_answered() {
    let (flights, call) = (Calls::new(), Call::default());
    let mut before = board(&flights, &call);
    flights.detach(&1);
    let mut after = board(&flights, &call);
    flights.detach_all();
    let mut last = board(&flights, &call);
    assert_eq!(call.begun(), 3);
    call.finish();
    assert!(
        [&mut before, &mut after].into_iter().all(|caller| ready(caller) == Landed::Led("led"))
    );
    assert_eq!(flights.len(), 1, "the end of a detached call takes no other one off the list");
    assert_eq!(ready(&mut last), Landed::Led("led"));
    assert!(flights.is_empty());
}

#[test]
fn a_panic_goes_on_in_the_caller_that_began_the_call_and_nowhere_else() {
    for first_polls in [true, false] {
        let flights = Calls::new();
        let Boarding::First(start) = flights.board(1) else { panic!() };
        let mut first = Box::pin(start.with(async { panic!("in the call") }, |_| 7));
        let mut second = board(&flights, &Call::default());
        let mut first_panics = || catch_unwind(AssertUnwindSafe(|| poll(&mut first))).is_err();
        if first_polls {
            assert!(first_panics());
        }
        assert_eq!(ready(&mut second), Landed::Failed);
        assert!(first_polls || first_panics());
        assert!(flights.is_empty());
    }
}

#[test]
fn what_the_others_get_is_made_once_and_only_for_them() {
    thread_local!(static MADE: Cell<u32> = const { Cell::new(0) });
    let share = |_: &&'static str| MADE.set(MADE.get() + 1);
    for (others, made) in [(0, 0), (3, 1)] {
        let flights = Flights::<u32, (), &'static str>::new();
        let mut seats: Vec<_> = (0..=others)
            .map(|_| match flights.board(1) {
                Boarding::First(start) => start.with(async { "led" }, share),
                Boarding::Joined(seat) => seat,
            })
            .collect();
        MADE.set(0);
        for seat in &mut seats {
            let _ = Pin::new(seat).poll(&mut Context::from_waker(Waker::noop()));
        }
        assert_eq!(MADE.get(), made);
    }
}

#[test]
fn a_clone_that_panics_fails_the_call_for_all() {
    let flights = Calls::new();
    let Boarding::First(start) = flights.board(1) else { panic!() };
    let mut first = Box::pin(start.with(async { "led" }, |_| panic!("in the clone")));
    let mut second = board(&flights, &Call::default());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut first))).is_err());
    assert_eq!(ready(&mut second), Landed::Failed);
}

#[test]
fn who_waits_for_a_call_that_is_never_begun_is_told() {
    let (flights, woken) = (Calls::new(), Arc::new(Woken::default()));
    let start = flights.board(1);
    let mut second = board(&flights, &Call::default());
    assert!(poll_with(&mut second, &woken).is_pending());
    drop(start);
    assert_eq!(woken.count(), 1);
    assert_eq!(ready(&mut second), Landed::Failed);
    assert!(flights.is_empty());
}

#[test]
fn the_last_waker_wins() {
    let (flights, call) = (Calls::new(), Call::default());
    let (old, new) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let (mut first, mut second) = (board(&flights, &call), board(&flights, &call));
    for waker in [&old, &new] {
        assert!(poll_with(&mut first, waker).is_pending());
        assert!(poll_with(&mut second, waker).is_pending());
    }
    call.finish();
    assert_eq!((old.count(), new.count()), (0, 1));
    assert_eq!(ready(&mut first), Landed::Led("led"));
    assert_eq!((old.count(), new.count()), (0, 2));
}

#[test]
fn keys_whose_comparison_panics_leave_the_table_usable() {
    #[derive(Clone)]
    struct Hostile(u32);
    impl Hash for Hostile {
        fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
            self.0.hash(hasher);
        }
    }
    impl PartialEq for Hostile {
        fn eq(&self, other: &Self) -> bool {
            assert!(!ARMED.get(), "in the comparison");
            self.0 == other.0
        }
    }
    impl Eq for Hostile {}
    thread_local!(static ARMED: Cell<bool> = const { Cell::new(false) });

    let flights = Flights::<Hostile, u32, ()>::new();
    let Boarding::First(start) = flights.board(Hostile(1)) else { panic!() };
    ARMED.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| flights.board(Hostile(1)))).is_err());
    ARMED.set(false);
    assert!(matches!(flights.board(Hostile(1)), Boarding::Joined(_)));
    drop(start);
    assert!(flights.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_in_vain_lets_the_next_one_begin_another_call() {
    const LIMIT: Duration = Duration::from_secs(1);
    let (flights, call) = (Calls::new(), Call::default());
    let seat = |flights: &Calls| *Pin::into_inner(board(flights, &call));
    let _slow = seat(&flights);
    let began = clock::now();
    let mut wait = std::pin::pin!(Wait::new(seat(&flights), LIMIT));
    assert!(!wait.seat().leads());
    assert_eq!(wait.as_mut().await, None);
    assert_eq!(clock::now().since(began), LIMIT);
    assert!(seat(&flights).leads());
}

#[tokio::test(start_paused = true)]
async fn who_began_the_call_waits_without_a_limit() {
    let (flights, call) = (Calls::new(), Call::default());
    let slow = Wait::new(*Pin::into_inner(board(&flights, &call)), Duration::ZERO);
    assert!(tokio::time::timeout(Duration::from_secs(3600), slow).await.is_err());
}

proptest! {
    /// Callers come, are polled whenever they are woken, and go away at any moment.
    #[test]
    fn nobody_is_forgotten_whoever_goes_away(seed: u64, callers in 1..12_usize) {
        let random = Random::seeded(seed);
        let (flights, call) = (Calls::new(), Call::default());
        let mut present: Vec<(Caller, Arc<Woken>)> = Vec::new();
        let mut is_finished = false;
        for step in 0..callers * 8 {
            match random.below(8) {
                0 | 1 if step < callers * 4 && !is_finished => {
                    let (mut caller, woken) = (board(&flights, &call), Arc::default());
                    // Some are polled late.
                    if random.below(4) > 0 {
                        let _ = poll_with(&mut caller, &woken);
                    } else {
                        Waker::from(Arc::clone(&woken)).wake();
                    }
                    present.push((caller, woken));
                }
                2 if !present.is_empty() => {
                    let gone = random.below(present.len() as u64);
                    present.swap_remove(usize::try_from(gone).unwrap());
                }
                3 => call.wake(),
                4 if step > callers * 4 && !is_finished => {
                    is_finished = true;
                    call.finish();
                }
                _ => run(&mut present),
            }
        }
        call.finish();
        while !present.is_empty() {
            let before = present.len();
            run(&mut present);
            prop_assert!(present.len() < before, "{} wait for ever", present.len());
        }
        prop_assert!(flights.is_empty());
    }
}

/// Polls those that were woken, and lets go who is answered.
fn run(present: &mut Vec<(Caller, Arc<Woken>)>) {
    present.retain_mut(|(caller, woken)| {
        woken.0.swap(0, SeqCst) == 0 || poll_with(caller, woken).is_pending()
    });
}

fn board(flights: &Calls, call: &Call) -> Caller {
    Box::pin(match flights.board(1) {
        Boarding::First(start) => start.with(call.work(), |_| 7),
        Boarding::Joined(seat) => seat,
    })
}

fn board_again(flights: &Calls, seat: &Caller, call: &Call) -> Caller {
    Box::pin(match flights.board_again(seat) {
        Boarding::First(start) => start.with(call.work(), |_| 7),
        Boarding::Joined(seat) => seat,
    })
}

fn poll(caller: &mut Caller) -> Poll<Landed<u32, &'static str>> {
    caller.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_with(caller: &mut Caller, woken: &Arc<Woken>) -> Poll<Landed<u32, &'static str>> {
    caller.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken))))
}

fn ready(caller: &mut Caller) -> Landed<u32, &'static str> {
    let Poll::Ready(landed) = poll(caller) else { panic!("it still waits") };
    landed
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Woken {
    fn count(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A call that ends when the test says so.
#[derive(Default, Clone)]
struct Call(Arc<Mutex<Progress>>);

#[derive(Default)]
struct Progress {
    begun: u32,
    polled: u32,
    finished: bool,
    dropped: bool,
    wakers: Vec<Waker>,
}

impl Call {
    fn work(&self) -> impl Future<Output = &'static str> + Send + 'static {
        self.0.lock().unwrap().begun += 1;
        let mut guard = Some(OnDrop(self.clone()));
        std::future::poll_fn(move |cx| {
            let mut progress = guard.as_ref().unwrap().0.0.lock().unwrap();
            progress.polled += 1;
            if progress.finished {
                drop(progress);
                std::mem::forget(guard.take());
                return Poll::Ready("led");
            }
            progress.wakers = vec![cx.waker().clone()];
            Poll::Pending
        })
    }

    fn begun(&self) -> u32 {
        self.0.lock().unwrap().begun
    }

    fn polled(&self) -> u32 {
        self.0.lock().unwrap().polled
    }

    fn is_dropped(&self) -> bool {
        self.0.lock().unwrap().dropped
    }

    fn finish(&self) {
        self.0.lock().unwrap().finished = true;
        self.wake();
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut self.0.lock().unwrap().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct OnDrop(Call);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().dropped = true;
    }
}
