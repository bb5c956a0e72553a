use std::{
    fmt, fs,
    future::Future,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{
    Invalid, Ratio,
    clock::{self, Nanos},
};

use super::{
    load::SystemLoad,
    probe::{Full, Probe},
};

const SHORTEST: Duration = Duration::from_millis(10);

/// The machine that this process runs on, or as much of it as its control group may use.
///
/// See [the module](crate::system) for what it reads, and an example.
pub struct System {
    root: PathBuf,
    probe: Probe,
    full: Full,
    interval: Duration,
    load: SystemLoad,
}

impl System {
    /// The machine, if it tells of itself.
    ///
    /// # Errors
    ///
    /// Where `/proc/stat` or `/proc/meminfo` is not to be read, as on systems that are not Linux. A
    /// [`SystemLoad`] can be told by other means there.
    pub fn try_new() -> Result<Self, Invalid> {
        Self::try_at("/")
    }

    /// The machine whose `/proc` and `/sys` are found under `root`, as where those of a host are mounted
    /// into a container.
    ///
    /// # Errors
    ///
    /// As [`try_new`](Self::try_new).
    ///
    /// ```
    /// use tower_ballast_bulkhead::system::System;
    ///
    /// let error = System::try_at("/nowhere").unwrap_err();
    /// assert_eq!(error.to_string(), "system is /nowhere, must be a Linux with /proc/stat and /proc/meminfo");
    /// ```
    pub fn try_at(root: impl Into<PathBuf>) -> Result<Self, Invalid> {
        let root = root.into();
        let Some(probe) = Probe::find(&|path| read(&root, path)) else {
            let range = "a Linux with /proc/stat and /proc/meminfo";
            return Err(Invalid::new("system", root.display(), range));
        };
        let (full, interval) = (Full::default(), Duration::from_millis(250));
        Ok(Self { root, probe, full, interval, load: SystemLoad::new() })
    }

    /// How often it is read. Default: 250 ms; at least 10 ms. Longer than 10 seconds, the load is none
    /// in between.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval: interval.max(SHORTEST), ..self }
    }

    /// Which share of busy processors is full load. Default: 100 %. None at all is not heeded, here
    /// and below.
    #[must_use]
    pub fn full_processors(mut self, share: Ratio) -> Self {
        self.full.processors = share;
        self
    }

    /// Which share of memory in use is full load. Default: 100 %.
    #[must_use]
    pub fn full_memory(mut self, share: Ratio) -> Self {
        self.full.memory = share;
        self
    }

    /// Which share of time with stalls is full load. Default: 100 %.
    #[must_use]
    pub fn full_stalls(mut self, share: Ratio) -> Self {
        self.full.stalls = share;
        self
    }

    /// Which lag of the runtime is full load. Default: 100 ms.
    #[must_use]
    pub fn full_lag(mut self, lag: Duration) -> Self {
        self.full.lag = lag;
        self
    }

    /// The load that [`watch`](Self::watch) tells.
    #[must_use]
    pub fn load(&self) -> SystemLoad {
        self.load.clone()
    }

    /// A future that reads and tells until nobody is left who has the load. It is to be spawned on the
    /// runtime whose lag matters.
    pub fn watch(self) -> Watch {
        let due = clock::now() + self.interval;
        Watch { system: self, due, timer: None }
    }

    fn tell(&mut self, now: Nanos, lag: Duration) {
        let root = &self.root;
        let readings = self.probe.read(now, lag, &|path| read(root, path));
        self.load.tell(self.full.load(&readings), readings);
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("load", &self.load).finish_non_exhaustive()
    }
}

pin_project! {
    /// Reads a machine again and again. Made by [`System::watch`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Watch {
        system: System,
        due: Nanos,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        loop {
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
                if !this.system.load.is_read_by_others() {
                    return Poll::Ready(());
                }
                let now = clock::now();
                this.system.tell(now, now.since(*this.due));
                // From now on and not from when it was due: what was missed is not made up for.
                *this.due = now + this.system.interval;
            }
            this.timer.set(Some(clock::sleep_until(*this.due)));
        }
    }
}

fn read(root: &std::path::Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path.trim_start_matches('/'))).ok()
}
