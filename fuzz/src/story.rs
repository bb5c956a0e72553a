//! Stories of one cache: what is asked of it, what the origin answers, and how time passes.
//!
//! All that is said is said in few words and numbers, so that most stories are sensible, and that what they mean can be
//! reckoned without reading any field.

use arbitrary::Arbitrary;

/// What happens to one cache.
#[derive(Debug, Arbitrary)]
pub struct Story {
    /// The rules of the cache.
    pub policy: Policy,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// The rules of a cache.
#[derive(Debug, Clone, Copy, Arbitrary)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting")]
pub struct Policy {
    pub private: bool,
    pub explicit_cookies: bool,
    pub lenient: bool,
    pub while_revalidating: u8,
    pub if_error: u8,
    pub if_disconnected: u8,
}

/// One thing that happens.
#[derive(Debug, Arbitrary)]
pub enum Step {
    /// So many quarters of a second pass.
    Wait(u8),
    /// So many hours pass.
    WaitLong(u8),
    /// The clock is set back by so many seconds.
    Back(u8),
    /// Something is asked for, and this is what the origin has to say if it is asked.
    Ask(Request, Option<Reply>),
    /// All is let go of.
    Purge,
}

/// What a client sends.
#[derive(Debug, Clone, Arbitrary)]
pub struct Request {
    pub method: Verb,
    pub wishes: Vec<Wish>,
    /// The fields `a` and `b`, by which answers may vary.
    pub choices: [Option<bool>; 2],
    pub authorization: bool,
    pub cookie: bool,
    pub if_none_match: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Verb {
    Get,
    Head,
    Post,
}

/// A directive of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Wish {
    NoCache,
    NoStore,
    OnlyIfCached,
    MaxAge(u8),
    MinFresh(u8),
    MaxStale(Option<u8>),
}

/// What the origin answers.
#[derive(Debug, Clone, Arbitrary)]
pub struct Reply {
    /// 304 is only right when the origin is asked whether something has changed, and comes at other times too.
    pub status: Code,
    /// In quarters of a second.
    pub delay: u8,
    pub head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Code {
    Ok,
    NotModified,
    NotFound,
    Found,
    Unknown,
    Broken,
    Unavailable,
}

/// The fields of a response. Moments are in seconds after the start of the story, or before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Arbitrary)]
pub struct Head {
    pub cache_control: Option<Vec<Directive>>,
    pub targeted: Option<Vec<Directive>>,
    pub age: Option<Number>,
    pub date: Option<(Form, i16)>,
    pub expires: Option<Expires>,
    /// In hours.
    pub last_modified: Option<(Form, i16)>,
    pub etag: Option<bool>,
    /// By which of the two choices it varies.
    pub vary: Option<[bool; 2]>,
    pub set_cookie: bool,
    /// The fields that are of the connection.
    pub connection: Vec<Field>,
}

/// A directive of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Directive {
    MaxAge(Number),
    SMaxage(Number),
    StaleIfError(Number),
    StaleWhileRevalidate(Number),
    NoCache(Option<Field>),
    Private(Option<Field>),
    NoStore,
    Public,
    MustRevalidate,
    ProxyRevalidate,
    MustUnderstand,
    Immutable,
    /// One that nobody knows, whose argument is in quotes and looks like one that is known.
    Unknown,
}

/// A number, or what stands in the place of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Number {
    Small(u8),
    Great(u64),
    /// Of more digits than any number has here.
    Absurd,
    Quoted(u8),
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Expires {
    At(Form, i16),
    /// Two lines, which contradict each other.
    Twice(i16),
    None,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Form {
    Imf,
    Rfc850,
    Asctime,
}

/// A field that others may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Field {
    Age,
    CacheControl,
    CdnCacheControl,
    Date,
    Etag,
    Expires,
    LastModified,
    SetCookie,
    Vary,
}

impl Field {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::CacheControl => "cache-control",
            Self::CdnCacheControl => "cdn-cache-control",
            Self::Date => "date",
            Self::Etag => "etag",
            Self::Expires => "expires",
            Self::LastModified => "last-modified",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
        }
    }
}

impl Code {
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NotModified => 304,
            Self::NotFound => 404,
            Self::Found => 302,
            Self::Unknown => 299,
            Self::Broken => 500,
            Self::Unavailable => 503,
        }
    }

    /// Whether it may be fresh without a word of how long.
    #[must_use]
    pub const fn may_be_guessed(self) -> bool {
        matches!(self, Self::Ok | Self::NotFound)
    }
}
