//! Calls that share one, and the first of them goes away, at every moment there is.
//!
//! A layer that lets several callers wait for one call of its service has to keep its promises
//! whenever the one who began it goes away, and whenever the service panics. [`each`] goes through
//! all moments: the first call is dropped after each step of it, and the others have come before
//! after each step as well, polled in each [`Order`]. The service stands on a [`Stage`]: it waits
//! there in steps, and panics there if the test says so. What has to hold then is for the test to
//! say. Whoever waits is polled when it was woken, so a wake-up that is lost is found too.
//!
//! ```
//! use tower::{Layer, Service};
//! use tower_ballast_test::leaving::{Order, Stage, each};
//! # use std::{convert::Infallible, future::Future, pin::Pin, task::{Context, Poll}};
//! # #[derive(Clone)]
//! # struct Own<S>(S);
//! # impl<S: Service<u32>> Service<u32> for Own<S> {
//! #     type Response = S::Response;
//! #     type Error = S::Error;
//! #     type Future = S::Future;
//! #     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> { self.0.poll_ready(cx) }
//! #     fn call(&mut self, request: u32) -> S::Future { self.0.call(request) }
//! # }
//! # let layer = tower::layer::layer_fn(Own);
//! // The layer to be tested; this one shares nothing.
//! let moments = each(Order::ALL, |moment| {
//!     let stage = Stage::new();
//!     let service = layer.layer(stage.service(2, 3, |call| Ok::<_, Infallible>(call)));
//!     let crowd = moment.run(&stage, || {
//!         let mut service = service.clone();
//!         Some(async move {
//!             std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
//!             service.call(7).await
//!         })
//!     });
//!     assert!(crowd.are_others(Result::is_ok), "{moment:?}");
//!     // One that shares would have made one call here.
//!     assert!(stage.calls() >= crowd.others.len(), "{moment:?}");
//!     crowd.has_left
//! });
//! assert!(moments > 100);
//! ```

mod client;
mod moment;
mod stage;

pub use self::{
    moment::{Crowd, Moment, Order, each},
    stage::{Acting, Stage, Staged, Steps},
};
