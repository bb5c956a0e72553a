//! Runs commands one after the other, times them, and says at the end how each went.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Write},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use crate::tally::Tally;

/// One run of an xtask command: the steps so far, and the tests they ran.
pub(crate) struct Run {
    name: String,
    environment: &'static [(&'static str, &'static str)],
    started: Instant,
    steps: Vec<Step>,
    tally: Tally,
}

struct Step {
    name: String,
    failure: Option<String>,
    took: Duration,
}

impl Run {
    pub(crate) fn start(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            environment: &[],
            started: now(),
            steps: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Variables that every later step gets.
    pub(crate) fn environment(&mut self, variables: &'static [(&'static str, &'static str)]) {
        self.environment = variables;
    }

    /// Runs one command. A failed step does not keep the later ones from running, so that one run
    /// shows all there is to mend. `hint` says what to do about a failure.
    pub(crate) fn step(&mut self, name: &str, hint: &str, command: &mut Command) -> bool {
        command.envs(self.environment.iter().copied());
        println!("\n==> {name}\n    {}", Line(command));
        let began = now();
        let mut tests = Tally::default();
        let failure = match stream(command, &mut tests) {
            Ok(()) if tests.ignored > 0 => Some(format!("{} tests were ignored", tests.ignored)),
            Ok(()) => None,
            Err(reason) => Some(format!("{reason}; {hint}")),
        };
        self.tally += tests;
        self.record(name, failure, began)
    }

    /// Notes a step that could not even begin.
    pub(crate) fn fail(&mut self, name: &str, reason: impl fmt::Display) {
        println!("\n==> {name}");
        self.record(name, Some(reason.to_string()), now());
    }

    fn record(&mut self, name: &str, failure: Option<String>, began: Instant) -> bool {
        let took = began.elapsed();
        match &failure {
            None => println!("    ok, {}", Took(took)),
            Some(reason) => println!("    FAILED after {}: {reason}", Took(took)),
        }
        let passed = failure.is_none();
        self.steps.push(Step { name: name.to_owned(), failure, took });
        passed
    }

    /// Prints the summary. Its last line is the number of tests, as `N passed, N failed`.
    pub(crate) fn close(self) -> ExitCode {
        println!("\n==> summary");
        for step in &self.steps {
            let result = if step.failure.is_none() { "ok" } else { "FAILED" };
            println!("    {result:6}  {:>12}  {}", Took(step.took).to_string(), step.name);
        }
        let failures = self.steps.iter().filter(|step| step.failure.is_some());
        for (step, reason) in
            failures.clone().filter_map(|step| Some((step, step.failure.as_ref()?)))
        {
            println!("\n    {}: {reason}", step.name);
        }
        let failed = failures.count();
        let total = Took(self.started.elapsed());
        println!();
        match failed {
            0 => println!(
                "cargo xtask {}: all {} steps passed in {total}",
                self.name,
                self.steps.len()
            ),
            _ => println!(
                "cargo xtask {}: {failed} of {} steps FAILED, in {total}",
                self.name,
                self.steps.len()
            ),
        }
        if self.tally.ran() {
            println!("{}", self.tally);
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Lets the command's output through and counts the tests it reports.
fn stream(command: &mut Command, tests: &mut Tally) -> Result<(), String> {
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` did not start: {error}", command.get_program().display()))?;
    let output = child.stdout.take().expect("stdout was piped two lines above");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&line);
        tests.read(&line);
        println!("{line}");
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

#[expect(clippy::disallowed_methods, reason = "real programs run here, in real time")]
fn now() -> Instant {
    Instant::now()
}

/// A command as one would type it.
struct Line<'a>(&'a Command);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.0.get_envs() {
            let value = value.unwrap_or_default().to_string_lossy();
            let quote = if value.contains(' ') { "'" } else { "" };
            write!(f, "{}={quote}{value}{quote} ", name.display())?;
        }
        let program = std::path::Path::new(self.0.get_program());
        write!(f, "{}", program.file_name().unwrap_or_default().display())?;
        self.0.get_args().try_for_each(|argument| write!(f, " {}", argument.display()))
    }
}

/// A duration as one would say it.
struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.0.as_secs() / 60, self.0.as_secs() % 60);
        match minutes {
            0 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(f, "{minutes} min {seconds} s"),
        }
    }
}
