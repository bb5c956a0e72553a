//! Every interleaving of a few threads on a body that one writes and several read, model-checked by loom.
//!
//! Run it with
//! `RUSTFLAGS="--cfg ballast_loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=2
//! cargo test -p tower-ballast-http-cache --test loom --release`. In ordinary builds it is empty.

#![cfg(ballast_loom)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use loom::{future::block_on, model, sync::Mutex, thread};
use tower_ballast_core::BoxError;
use tower_ballast_http_cache::model::One;

/// A body whose pieces a thread gives: a piece, the end, or that it is cut off.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<Feed>>);

#[derive(Default)]
struct Feed {
    pieces: VecDeque<Option<Result<&'static str, ()>>>,
    waker: Option<Waker>,
}

impl Fed {
    fn give(&self, piece: Option<Result<&'static str, ()>>) {
        let waker = {
            let mut feed = self.0.lock().unwrap();
            feed.pieces.push_back(piece);
            feed.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut feed = self.0.lock().unwrap();
        let Some(piece) = feed.pieces.pop_front() else {
            feed.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(piece.map(|piece| match piece {
            Ok(piece) => Ok(Frame::data(Bytes::from(piece))),
            Err(()) => Err("cut".into()),
        }))
    }
}

#[test]
fn two_read_what_a_third_writes() {
    model(|| {
        let body = Fed::default();
        let first = One::first(body.clone(), None, 100);
        let second = first.join().unwrap();
        let other = thread::spawn(move || block_on(second.all()));
        let writer = thread::spawn(move || {
            body.give(Some(Ok("one")));
            body.give(None);
        });
        assert_eq!(block_on(first.all()).unwrap(), b"one");
        assert_eq!(other.join().unwrap().unwrap(), b"one");
        writer.join().unwrap();
    });
}

#[test]
fn who_waits_for_the_end_is_told_though_the_one_who_reads_goes_away() {
    model(|| {
        let body = Fed::default();
        let mut first = One::first(body.clone(), None, 100);
        let mut second = first.join().unwrap();
        body.give(Some(Ok("one")));
        assert_eq!(block_on(first.next()).unwrap().unwrap(), "one");
        let leaving = thread::spawn(move || {
            // It waits, is woken perhaps, and goes away.
            let mut next = Box::pin(first.next());
            let _ = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(next);
            drop(first);
        });
        let writer = thread::spawn(move || body.give(None));
        assert_eq!(block_on(second.end()), Ok(3));
        assert_eq!(second.kept(), [Some(Bytes::from("one"))]);
        leaving.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn who_waits_for_the_end_is_told_though_another_who_waits_goes_away() {
    model(|| {
        let body = Fed::default();
        let first = One::first(body.clone(), None, 100);
        let (mut second, mut third) = (first.join().unwrap(), first.join().unwrap());
        drop(first);
        // The one that came first of those who wait is woken, and goes away.
        let leaving = thread::spawn(move || {
            let mut end = Box::pin(second.end());
            let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(end);
            drop(second);
        });
        let writer = thread::spawn(move || body.give(None));
        assert_eq!(block_on(third.end()), Ok(0));
        leaving.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn all_are_told_that_it_was_cut_off() {
    model(|| {
        let body = Fed::default();
        let first = One::first(body.clone(), None, 100);
        let (second, mut third) = (first.join().unwrap(), first.join().unwrap());
        let other = thread::spawn(move || block_on(second.all()));
        let writer = thread::spawn(move || body.give(Some(Err(()))));
        assert_eq!(block_on(third.end()), Err("cut"));
        assert_eq!(block_on(first.all()), Err("cut"));
        assert_eq!(other.join().unwrap(), Err("cut"));
        assert_eq!(third.kept(), [None]);
        writer.join().unwrap();
    });
}

#[test]
fn who_joins_while_the_last_one_leaves_has_all_or_knows_it_at_once() {
    model(|| {
        let body = Fed::default();
        let first = One::first(body.clone(), Some(3), 100);
        let joins = thread::spawn({
            let watcher = first.watch();
            move || watcher.join().map(|one| block_on(one.all()))
        });
        let leaving = thread::spawn(move || drop(first));
        body.give(Some(Ok("one")));
        body.give(None);
        leaving.join().unwrap();
        if let Some(all) = joins.join().unwrap() {
            assert_eq!(all.unwrap(), b"one");
        }
    });
}

#[test]
fn what_is_too_large_goes_on_for_the_first_one_and_releases_the_others() {
    model(|| {
        let body = Fed::default();
        let first = One::first(body.clone(), None, 3);
        let mut second = first.join().unwrap();
        let other = thread::spawn(move || block_on(second.end()));
        let writer = thread::spawn(move || body.give(Some(Ok("four"))));
        assert_eq!(block_on(first.all()), Err("alone"));
        assert_eq!(other.join().unwrap(), Err("alone"));
        writer.join().unwrap();
    });
}
