//! The one whose request was sent goes away, or its service panics, at each moment there is.

use std::{
    future::poll_fn,
    mem::replace,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_ballast_core::BoxError;
use tower_ballast_test::leaving::{Moment, Order, Stage, Steps, each};

use super::origin::{Nothing, fresh, get};
use crate::{HttpCache, HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";
const FRAMES: [&str; 3] = ["one ", "two ", "three"];
const WHOLE: &str = "one two three";
const OTHERS: usize = 3;

/// Answers in steps, and its body comes so as well.
#[derive(Clone)]
struct Slow {
    stage: Stage,
    length: Option<u64>,
}

struct Coming {
    slow: Slow,
    frames: std::slice::Iter<'static, &'static str>,
    wait: Steps,
}

impl Slow {
    fn answer(self) -> Result<Response<Coming>, BoxError> {
        let response = match self.length {
            Some(length) => fresh().header("content-length", length),
            None => fresh(),
        };
        let wait = self.stage.steps(1);
        Ok(response.body(Coming { slow: self, frames: FRAMES.iter(), wait })?)
    }
}

impl Service<Request<Nothing>> for Slow {
    type Response = Response<Coming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Coming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Nothing>) -> Self::Future {
        let (slow, _) = (self.clone(), self.stage.begin());
        Box::pin(async {
            slow.stage.steps(2).await;
            slow.answer()
        })
    }
}

impl Body for Coming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(Pin::new(&mut self.wait).poll(cx));
        self.wait = self.slow.stage.steps(1);
        Poll::Ready(self.frames.next().map(|frame| Ok(Frame::data(Bytes::from(*frame)))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.slow.length {
            Some(_) => {
                SizeHint::with_exact(self.frames.clone().map(|frame| frame.len() as u64).sum())
            }
            None => SizeHint::default(),
        }
    }
}

/// How it ended for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Read(String),
    /// The body broke off.
    Broken(String),
    Failed,
    Panicked,
}

/// A client that reads frame by frame, and can go away after each.
fn read(service: &HttpCache<Slow>) -> impl Future<Output = End> + use<> {
    let answer = service.clone().call(get(URI));
    async {
        let Ok(response) = answer.await else { return End::Failed };
        let (mut body, mut text) = (response.into_body(), String::new());
        pause().await;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return End::Broken(text) };
            text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
            pause().await;
        }
        End::Read(text)
    }
}

/// Ends this poll and is polled again, and once more after it for nothing.
async fn pause() {
    let mut is_over = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What became of them all.
struct Outcome {
    first: Option<End>,
    others: Vec<End>,
    has_left: bool,
    calls: usize,
    layer: HttpCacheLayer,
}

fn run(moment: Moment, stage: &Stage, length: Option<u64>) -> Outcome {
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(Slow { stage: stage.clone(), length });
    let crowd = moment.run(stage, || Some(read(&service)));
    let end = |told: std::thread::Result<End>| told.unwrap_or(End::Panicked);
    let (first, others) = (crowd.first.map(end), crowd.others.into_iter().map(end).collect());
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{moment:?}");
    Outcome { first, others, has_left: crowd.has_left, calls: stage.calls(), layer }
}

fn whole() -> End {
    End::Read(WHOLE.to_owned())
}

#[tokio::test(start_paused = true)]
async fn whenever_the_first_one_goes_away_there_is_one_call_and_all_others_have_the_whole() {
    let mut moments = 0;
    for length in [Some(13), None] {
        // One joins when it is polled.
        let orders = Order::ALL.into_iter().filter(|order| *order != Order::Alone);
        moments += each(orders, |moment| {
            let outcome = run(moment, &Stage::new(), length);
            let others = OTHERS + usize::from(moment.has_another());
            assert_eq!(outcome.others, vec![whole(); others], "{length:?} {moment:?}");
            assert_eq!(outcome.calls, 1, "{length:?} {moment:?}");
            let statistics = outcome.layer.handle().statistics();
            assert_eq!((statistics.stored, statistics.failed), (1, 0), "{length:?} {moment:?}");
            assert!(outcome.has_left || outcome.first == Some(whole()), "{length:?} {moment:?}");
            outcome.has_left
        });
    }
    assert!(moments > 9836, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn whenever_the_service_panics_one_client_knows_and_no_other_is_left_waiting() {
    let mut moments = 0;
    for length in [Some(13), None] {
        for order in [Order::First, Order::Last] {
            for panic in 0.. {
                let stage = || Stage::panicking(panic);
                let all = run(Moment::new(order), &stage(), length);
                let is_whole = all.first.iter().chain(&all.others).all(|end| *end == whole());
                if all.calls == 1 && is_whole {
                    // There are no more moments.
                    assert!(panic > 8, "{panic}");
                    break;
                }
                for come in (0..40).step_by(3) {
                    let comes = Moment::new(order).comes(come);
                    let leaves = (come..40).step_by(5).map(|leave| comes.leaves(leave));
                    for moment in [comes].into_iter().chain(leaves) {
                        let outcome = run(moment, &stage(), length);
                        let at = format!("{length:?} {panic} {moment:?}");
                        check_panic(&outcome, length, &at);
                        moments += 1;
                    }
                }
            }
        }
    }
    assert_eq!(moments, 3696);
}

fn check_panic(outcome: &Outcome, length: Option<u64>, at: &str) {
    let at = format!("{at}: {:?} {:?}", outcome.first, outcome.others);
    let ends = || outcome.first.iter().chain(&outcome.others);
    let count = |is: fn(&&End) -> bool| ends().filter(is).count();
    let (panicked, broken) = (
        count(|end| **end == End::Panicked),
        count(|end| matches!(end, End::Broken(text) if WHOLE.starts_with(text.as_str()))),
    );
    let whole = count(|end| **end == whole());
    assert_eq!(panicked + broken + whole, ends().count(), "{at}");
    // Of what has a length others have had the head as well, and cannot be answered anew.
    assert!(panicked <= 1 && (length.is_some() || panicked + broken <= 1), "{at}");
    // One who begins the second call and goes away before the others have come takes it along.
    assert!(outcome.calls <= if outcome.has_left { 3 } else { 2 }, "{at}");
}
