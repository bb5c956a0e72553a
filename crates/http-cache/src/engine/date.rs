//! Dates in header fields.

use std::time::Duration;

use super::time::Wall;

/// A date in any of HTTP's three forms
/// ([RFC 9110, section 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).
///
/// Names in any case and a wrong weekday are tolerated, any other deviation is not: who cannot
/// write a date may not have meant this one. A year of two digits is the nearest that is at most
/// 50 years after `now`. A date before 1970 is its start.
pub(super) fn parse(text: &[u8], now: Wall) -> Option<Wall> {
    imf(text).or_else(|| rfc850(text, now)).or_else(|| asctime(text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn imf(text: &[u8]) -> Option<Wall> {
    let mut at = Cursor(text);
    at.name(&DAYS.map(|day| &day[..3]))?;
    at.tag(", ")?;
    let day = at.digits(2)?;
    at.tag(" ")?;
    let month = at.name(&MONTHS)?;
    at.tag(" ")?;
    let year = at.digits(4)?;
    at.tag(" ")?;
    let time = at.time()?;
    at.tag(" GMT")?;
    at.end()?;
    moment(year, month, day, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(text: &[u8], now: Wall) -> Option<Wall> {
    let mut at = Cursor(text);
    at.name(&DAYS)?;
    at.tag(", ")?;
    let day = at.digits(2)?;
    at.tag("-")?;
    let month = at.name(&MONTHS)?;
    at.tag("-")?;
    let short = at.digits(2)?;
    at.tag(" ")?;
    let time = at.time()?;
    at.tag(" GMT")?;
    at.end()?;
    let latest = 1970 + now.as_secs() / SECONDS_OF_YEAR + 50;
    let year = latest - (latest - short) % 100;
    moment(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(text: &[u8]) -> Option<Wall> {
    let mut at = Cursor(text);
    at.name(&DAYS.map(|day| &day[..3]))?;
    at.tag(" ")?;
    let month = at.name(&MONTHS)?;
    at.tag(" ")?;
    let day = if at.tag(" ").is_some() { at.digits(1)? } else { at.digits(2)? };
    at.tag(" ")?;
    let time = at.time()?;
    at.tag(" ")?;
    let year = at.digits(4)?;
    at.end()?;
    moment(year, month, day, time)
}

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// On average, in the Gregorian calendar.
const SECONDS_OF_YEAR: u64 = 31_556_952;

/// `month` counts from 0.
fn moment(year: u64, month: usize, day: u64, time: u64) -> Option<Wall> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day == 0 || day > lengths[month] {
        return None;
    }
    let before = |year: u64| year * 365 + year / 4 - year / 100 + year / 400;
    if year < 1970 {
        return Some(Wall::EPOCH);
    }
    let days = before(year - 1) - before(1969) + lengths[..month].iter().sum::<u64>() + day - 1;
    Some(Wall::EPOCH + Duration::from_secs(days.saturating_mul(86_400).saturating_add(time)))
}

/// What is left of a text that is read from left to right.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn tag(&mut self, tag: &str) -> Option<()> {
        let (start, rest) = self.0.split_at_checked(tag.len())?;
        start.eq_ignore_ascii_case(tag.as_bytes()).then(|| self.0 = rest)
    }

    fn digits(&mut self, count: usize) -> Option<u64> {
        let (start, rest) = self.0.split_at_checked(count)?;
        let number = super::list::number(start)?;
        self.0 = rest;
        Some(number)
    }

    /// Which of the names comes, in any case.
    fn name(&mut self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| self.tag(name).is_some())
    }

    /// `08:49:37`, in seconds. A leap second is allowed.
    fn time(&mut self) -> Option<u64> {
        let hour = self.digits(2)?;
        self.tag(":")?;
        let minute = self.digits(2)?;
        self.tag(":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    const NOW: Wall = Wall::from_secs(1_771_934_400);

    fn at(text: &str) -> Option<u64> {
        parse(text.as_bytes(), NOW).map(Wall::as_secs)
    }

    #[test]
    fn all_three_forms_are_one_moment() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "MON, 06 nov 1994 08:49:37 gmt",
        ] {
            assert_eq!(at(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn a_short_year_is_at_most_fifty_years_ahead() {
        assert_eq!(at("Sunday, 06-Nov-76 08:49:37 GMT"), at("Fri, 06 Nov 2076 08:49:37 GMT"));
        assert_eq!(at("Sunday, 06-Nov-77 08:49:37 GMT"), at("Sun, 06 Nov 1977 08:49:37 GMT"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 31 Jun 2050 02:01:18 GMT",
            "Thu, 29 Feb 2100 02:01:18 GMT",
            "Thu, 00 Aug 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 24:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT ",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn dates_before_the_epoch_are_its_start() {
        assert_eq!(at("Thu, 01 Jan 1969 00:00:00 GMT"), Some(0));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&text, NOW);
        }

        #[test]
        fn what_is_written_is_read(seconds in 0_u64..253_402_300_800) {
            let written = httpdate::fmt_http_date(
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            );
            prop_assert_eq!(at(&written), Some(seconds));
        }

        #[test]
        fn all_forms_of_a_moment_are_one(seconds in 0_u64..3_300_000_000) {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let imf = httpdate::fmt_http_date(moment);
            let (day, month, year, time) = (&imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
            let padded = day.strip_prefix('0').map_or(day.to_owned(), |day| format!(" {day}"));
            prop_assert_eq!(at(&format!("{} {month} {padded} {time} {year}", &imf[..3])), Some(seconds));
            let short = at(&format!("Sunday, {day}-{month}-{} {time} GMT", &year[2..]));
            let near = (1977..=2076).contains(&year.parse::<u64>().unwrap());
            prop_assert_eq!(short == Some(seconds), near);
        }

        #[test]
        fn what_others_read_as_well_they_read_alike(
            text in "(Mon|Sun), [0-3][0-9] (Jan|Feb|Apr|Dec) (19|20|21)[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT",
        ) {
            let others = httpdate::parse_http_date(&text).ok();
            let theirs = others.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            if let (Some(ours), Some(theirs)) = (at(&text), theirs) {
                prop_assert_eq!(ours, theirs.as_secs(), "{}", text);
            }
        }

        #[test]
        fn no_clock_is_too_strange(
            short in "Sunday, 06-Nov-[0-9]{2} 08:49:37 GMT",
            now in prop_oneof![any::<u64>(), u64::MAX - 3_000_000_000..],
        ) {
            prop_assert!(parse(short.as_bytes(), Wall::from_secs(now)).is_some());
        }
    }
}
