//! How busy the machine is, as one number from 0 to 1.
//!
//! A queue tells of too much work only when it is there. Processors, memory and the runtime itself
//! tell earlier, and also of what other programs do. A [`System`] reads them:
//!
//! | reading | from | as full load counts, by default |
//! |---|---|---|
//! | processors | the quota of the control group, versions 1 and 2, and `/proc/stat` | all of them busy |
//! | memory | the limit of the control group, and `/proc/meminfo`; files that can be dropped are free | all of it in use |
//! | stalls | `/proc/pressure`, the share of the last 10 seconds in which some task waited for processor, memory or disk | 100 % |
//! | the runtime's lag | how late the timer of [`Watch`] fires | 100 ms |
//!
//! The load is the highest of them. A number of one's own goes into [`SystemLoad::set`] instead.
//!
//! ```
//! use tower_ballast_bulkhead::{shed::ShedLayer, system::System};
//! # #[cfg(target_os = "linux")]
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//!
//! let system = System::try_new()?;
//! let load = system.load();
//! tokio::spawn(system.watch());
//!
//! let layer = ShedLayer::new(&load);
//! # let _ = layer;
//! # Ok::<_, tower_ballast_core::Invalid>(())
//! # }).unwrap();
//! ```
//!
//! # Why a future to be spawned
//!
//! A layer owns no task and no thread. [`Watch`] runs where it is spawned, so its own lateness is the lag
//! of that runtime, and it ends with it, or when nobody is left to read the load. It reads a dozen
//! small files that the kernel makes up, without waiting for any disk.
//!
//! A load that nobody has told for 10 seconds is no load: should the watch be gone, nothing is
//! refused for ever by its last word.
//!
//! # For a rate
//!
//! [`SystemLoad::get`] is a [`Ratio`](tower_ballast_core::Ratio), as the signal `load` of the rate limit's
//! adjustment wants it.

mod files;
mod groups;
mod load;
mod probe;
mod processor;
#[cfg(test)]
mod tests;
mod watch;

pub use self::{
    load::SystemLoad,
    probe::Readings,
    watch::{System, Watch},
};
