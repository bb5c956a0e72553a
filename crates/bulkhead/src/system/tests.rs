use std::{cell::RefCell, collections::HashMap, time::Duration};

use proptest::prelude::*;
use tower_ballast_core::{Ratio, clock, clock::Nanos};

use super::{
    files,
    groups::{Memory, Processors},
    probe::{Full, Probe},
    *,
};

const MEMINFO: &str = "\
MemTotal:       24684096 kB
MemFree:        10012680 kB
MemAvailable:   21720548 kB
Buffers:          123456 kB
";
const STAT: &str = "\
cpu  1529531 244633 235289 1893318 13283 0 1667 4104 0 0
cpu0 764765 122316 117644 946659 6641 0 833 2052 0 0
intr 1
";
const PRESSURE: &str = "\
some avg10=99.18 avg60=98.90 avg300=83.72 total=4277623993
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
";

/// Files in memory, which can be changed.
#[derive(Default)]
struct Files(RefCell<HashMap<String, String>>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let all = Self::default();
        for (path, text) in files {
            all.write(path, text);
        }
        all
    }

    fn write(&self, path: &str, text: &str) {
        self.0.borrow_mut().insert(path.to_owned(), text.to_owned());
    }

    fn read(&self, path: &str) -> Option<String> {
        self.0.borrow().get(path).cloned()
    }
}

#[test]
fn numbers_and_limits_are_read() {
    for (text, number, limit) in [
        ("536870912\n", Some(536_870_912), Some(536_870_912)),
        ("max\n", None, None),
        ("9223372036854771712\n", Some(9_223_372_036_854_771_712), None),
        ("0", Some(0), None),
        ("", None, None),
        ("-1\n", None, None),
        ("12 34", None, None),
        ("99999999999999999999999", None, None),
    ] {
        assert_eq!((files::number(text), files::limit(text)), (number, limit), "{text:?}");
    }
}

#[test]
fn fields_are_read() {
    let stat = "anon 100\ninactive_file 4096\ntotal_inactive_file 8192\n";
    for (text, name, value) in [
        (MEMINFO, "MemTotal", Some(24_684_096)),
        (MEMINFO, "Mem", None),
        (stat, "inactive_file", Some(4096)),
        (stat, "total_inactive_file", Some(8192)),
        ("usage_usec 123\nuser_usec 100\n", "usage_usec", Some(123)),
        ("MemTotal:", "MemTotal", None),
        ("MemTotal: many kB", "MemTotal", None),
        ("", "MemTotal", None),
    ] {
        assert_eq!(files::field(text, name), value, "{name} of {text:?}");
    }
}

#[test]
fn quotas_are_read() {
    for (text, processors) in [
        ("200000 100000\n", Some(2.0)),
        ("50000 100000", Some(0.5)),
        ("max 100000\n", None),
        ("100000", None),
        ("0 100000", None),
        ("100000 0", None),
        ("", None),
    ] {
        assert_eq!(files::cpu_max(text), processors, "{text:?}");
    }
    assert_eq!(files::quota("150000\n", "100000\n"), Some(1.5));
    assert_eq!(files::quota("-1\n", "100000\n"), None);
}

#[test]
fn ticks_are_read() {
    for (text, ticks) in [
        (STAT, Some((2_015_224, 3_921_825))),
        ("cpu  10 0 10 80\n", Some((20, 100))),
        ("cpu  10 0 10\n", None),
        ("cpu0 10 0 10 80 0 0 0 0\n", None),
        ("cpu  10 0 x 80 0 0 0 0\n", None),
        ("cpu  18446744073709551615 1 0 0 0 0 0 0", None),
        ("", None),
    ] {
        assert_eq!(files::ticks(text), ticks, "{text:?}");
    }
}

#[test]
fn stalls_are_read() {
    for (text, share) in [
        (PRESSURE, Some(0.9918)),
        ("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", Some(0.0)),
        ("some avg10=250.0", Some(1.0)),
        ("some avg10=-3", Some(0.0)),
        ("some avg10=NaN", None),
        ("some avg10=inf", None),
        ("some avg60=1.0", None),
        ("full avg10=1.0", None),
        ("", None),
    ] {
        assert_eq!(files::stalled(text), share, "{text:?}");
    }
}

#[test]
fn paths_of_control_groups_are_read() {
    let both = "4:memory:/docker/ab\n3:cpu,cpuacct:/docker/cd\n1:name=systemd:/\n0::/init.scope\n";
    for (text, controller, path) in [
        (both, "memory", Some("/docker/ab")),
        (both, "cpu", Some("/docker/cd")),
        (both, "cpuacct", Some("/docker/cd")),
        (both, "", Some("/init.scope")),
        (both, "pids", None),
        ("0::/\n", "", Some("")),
        ("0::/a:b\n", "", Some("/a:b")),
        ("0::/../../etc\n", "", None),
        ("0::relative", "", None),
        ("nonsense", "", None),
    ] {
        assert_eq!(files::path(text, controller), path, "{controller} of {text:?}");
    }
}

#[test]
fn the_memory_of_a_group_of_version_2_is_what_cannot_be_dropped() {
    let files = Files::of(&[
        ("/proc/self/cgroup", "0::/system.slice/app.service\n"),
        ("/sys/fs/cgroup/system.slice/app.service/memory.max", "max\n"),
        ("/sys/fs/cgroup/system.slice/memory.max", "1000000\n"),
        ("/sys/fs/cgroup/system.slice/memory.current", "900000\n"),
        ("/sys/fs/cgroup/system.slice/memory.stat", "anon 5\ninactive_file 400000\n"),
    ]);
    let memory = Memory::find(&|path| files.read(path)).expect("the group above has a limit");
    assert_eq!(memory.share(&|path| files.read(path)), Some(0.5));
    files.write("/sys/fs/cgroup/system.slice/memory.max", "max\n");
    assert_eq!(memory.share(&|path| files.read(path)), None, "a limit may be lifted");
}

#[test]
fn the_memory_of_a_group_of_version_1_is_found_in_a_container() {
    let files = Files::of(&[
        ("/proc/self/cgroup", "4:memory:/docker/0123\n0::/\n"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4000\n"),
        ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "3000\n"),
        ("/sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
    ]);
    let memory = Memory::find(&|path| files.read(path)).expect("its group is at the top");
    assert_eq!(memory.share(&|path| files.read(path)), Some(0.5));
}

#[test]
fn the_time_of_a_group_is_measured_by_its_quota() {
    let second = Files::of(&[
        ("/proc/self/cgroup", "0::/\n"),
        ("/proc/stat", STAT),
        ("/proc/meminfo", MEMINFO),
        ("/sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ("/sys/fs/cgroup/cpu.stat", "usage_usec 1000000\n"),
    ]);
    let first = Files::of(&[
        ("/proc/self/cgroup", "2:cpuacct,cpu:/\n"),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
        ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "1000000000\n"),
    ]);
    for files in [&second, &first] {
        let group = Processors::find(&|path| files.read(path)).expect("it has a quota");
        assert_eq!(group.used(&|path| files.read(path)), Some((0.5, 1_000_000_000)));
    }
    let (read, second_passed) = (|path: &str| second.read(path), Duration::from_secs(1));
    let mut probe = Probe::find(&read).expect("the files are there");
    assert_eq!(probe.read(at(1), Duration::ZERO, &read).processors, Ratio::ZERO, "not known yet");
    second.write("/sys/fs/cgroup/cpu.stat", "usage_usec 1400000\n");
    let readings = probe.read(at(1) + second_passed, Duration::ZERO, &read);
    assert!((readings.processors.get() - 0.8).abs() < 1e-9, "{readings:?}");
}

#[test]
fn a_machine_is_as_busy_as_its_ticks_since_it_was_last_asked() {
    let files = Files::of(&[
        ("/proc/stat", "cpu  100 0 100 800 0 0 0 0\n"),
        ("/proc/meminfo", MEMINFO),
        ("/proc/pressure/memory", PRESSURE),
    ]);
    let read = |path: &str| files.read(path);
    let mut probe = Probe::find(&read).expect("the files are there");
    let _ = probe.read(at(1), Duration::ZERO, &read);
    files.write("/proc/stat", "cpu  130 0 100 870 0 0 0 0\n");
    let readings = probe.read(at(2), Duration::from_millis(50), &read);
    assert!((readings.processors.get() - 0.3).abs() < 1e-9);
    assert!((readings.memory.get() - 0.120_058_8).abs() < 1e-6);
    assert!((readings.stalls.get() - 0.9918).abs() < 1e-9);
    assert!((Full::default().load(&readings).get() - 0.9918).abs() < 1e-9);
    // A machine that was moved, and files that are gone, are no load.
    files.write("/proc/stat", "cpu  1 0 1 8 0 0 0 0\n");
    files.0.borrow_mut().remove("/proc/pressure/memory");
    files.0.borrow_mut().remove("/proc/meminfo");
    assert_eq!(probe.read(at(3), Duration::ZERO, &read), Readings::default());
}

#[test]
fn the_load_is_the_highest_share_of_what_is_full() {
    let readings = Readings {
        processors: Ratio::percent::<50>(),
        memory: Ratio::percent::<45>(),
        lag: Duration::from_millis(20),
        ..Readings::default()
    };
    let load = |full: Full| full.load(&readings).get();
    assert!((load(Full::default()) - 0.5).abs() < 1e-9);
    assert!((load(Full { memory: Ratio::percent::<50>(), ..Full::default() }) - 0.9).abs() < 1e-9);
    let lag = Duration::from_millis(10);
    assert!((load(Full { lag, ..Full::default() }) - 1.0).abs() < 1e-9);
    let processors = Ratio::ZERO;
    assert!((load(Full { processors, ..Full::default() }) - 0.45).abs() < 1e-9, "not heeded");
}

#[test]
fn where_there_is_no_proc_it_says_so() {
    let nothing = Files::default();
    assert!(Probe::find(&|path| nothing.read(path)).is_none());
    let half = Files::of(&[("/proc/stat", STAT), ("/proc/meminfo", "broken")]);
    assert!(Probe::find(&|path| half.read(path)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn broken_files_break_nothing(text: String, lines in "[ -z\n]{0,200}") {
        for text in [&text, &lines] {
            let read = |_: &str| Some(text.clone());
            let _ = (files::cpu_max(text), files::ticks(text), files::stalled(text));
            let _ = (files::path(text, "cpu"), files::field(text, "cpu"), files::limit(text));
            let _ = (Memory::find(&read), Processors::find(&read));
            if let Some(mut probe) = Probe::find(&read) {
                let _ = probe.read(at(1), Duration::ZERO, &read);
                let _ = probe.read(at(2), Duration::ZERO, &read);
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_watch_tells_until_nobody_is_left_to_hear_it() {
    let system = System::try_new().expect("Linux has it").interval(Duration::from_secs(1));
    let load = system.load();
    let watch = tokio::spawn(system.watch());
    let before = load.word().number;
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(load.word().number, before + 3);
    assert!(load.readings().memory > Ratio::ZERO);
    drop(load);
    tokio::time::timeout(Duration::from_secs(2), watch).await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_busy_runtime_is_a_load() {
    let root = std::env::temp_dir().join(format!("tower-ballast-{}", std::process::id()));
    std::fs::create_dir_all(root.join("proc")).unwrap();
    std::fs::write(root.join("proc/stat"), STAT).unwrap();
    std::fs::write(root.join("proc/meminfo"), MEMINFO).unwrap();
    let system = System::try_at(&root).unwrap().full_memory(Ratio::ZERO);
    let load = system.load();
    let mut watch = std::pin::pin!(system.watch());
    let mut poll = || {
        let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
        watch.as_mut().poll(cx).is_pending()
    };
    assert!(poll());
    // The timer was due after 250 ms, and the runtime comes to it 40 ms later.
    tokio::time::advance(Duration::from_millis(290)).await;
    assert!(poll());
    let readings = load.readings();
    assert!((38..=40).contains(&readings.lag.as_millis()), "{readings:?}");
    assert!((0.38..=0.4).contains(&load.get().get()), "{:?}", load.get());
    assert!(clock::now() > Nanos::ZERO);
    std::fs::remove_dir_all(root).unwrap();
}

fn at(second: u64) -> Nanos {
    Nanos::ZERO + Duration::from_secs(second)
}
