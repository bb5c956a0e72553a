//! A layer of one's own, under the laws: it counts the calls that are running.
//!
//! `cargo run --example own_layer` tries some of the laws, `cargo test --example own_layer` all.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tower_ballast_test::laws::{self, Subject};

/// The count lives in the layer, so all services that it makes share it.
#[derive(Debug, Clone, Default)]
struct RunningLayer(Arc<AtomicUsize>);

#[derive(Debug, Clone)]
struct Running<S> {
    inner: S,
    count: Arc<AtomicUsize>,
}

impl<S> Layer<S> for RunningLayer {
    type Service = Running<S>;

    fn layer(&self, inner: S) -> Running<S> {
        Running { inner, count: Arc::clone(&self.0) }
    }
}

impl<S: Service<R>, R> Service<R> for Running<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let call = Call::begin(&self.count);
        ResponseFuture { response: self.inner.call(request), call }
    }
}

pin_project! {
    struct ResponseFuture<F> {
        #[pin]
        response: F,
        call: Call,
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().response.poll(cx)
    }
}

/// A running call. It ends by its drop: answered, failed, panicked, or left by its caller.
#[derive(Debug)]
struct Call(Arc<AtomicUsize>);

impl Call {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn main() {
    let subject = Subject::new(RunningLayer::default).counts(|layer| layer.0.load(Relaxed));
    laws::calls_only_what_is_ready(&subject);
    println!("calls only what is ready");
    laws::gives_all_back_on_drop(&subject);
    println!("gives all back on drop");
    laws::wakes_the_last_waker(&subject);
    println!("wakes the last waker");
}

#[cfg(test)]
tower_ballast_test::laws! {
    mod running;
    layer: RunningLayer::default,
    readiness: pass_through,
    counts: |layer: &RunningLayer| layer.0.load(Relaxed),
}
