//! What a parameter of an index is. Invariant: a default is a value that the form allows.

use std::fmt;

/// When a parameter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// By a build.
    Build,
    /// By a search.
    Search,
}

/// What a parameter is if nobody says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Default {
    /// This value.
    Value(Value),
    /// The number of results asked for, but at least this.
    AtLeastK(i64),
    /// Somebody must say.
    Required,
    /// Nothing.
    Absent,
}

/// A parameter's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Real(f32),
    Flag(bool),
    /// One of a few names.
    Name(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Flag(value) => value.fmt(f),
            Self::Name(value) => value.fmt(f),
        }
    }
}

/// What a parameter's value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// A whole number, both bounds included.
    Whole(i64, i64),
    /// A number, both bounds included.
    Real(f32, f32),
    /// True or false.
    Flag,
    /// One of these, in any case.
    Names(&'static [&'static str]),
}

/// One parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    /// Another name that some write.
    pub(crate) also: Option<&'static str>,
    pub(crate) phase: Phase,
    pub(crate) form: Form,
    pub(crate) default: Default,
    /// What it does, for listings.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the generated page of parameters"))]
    pub(crate) doc: &'static str,
}

impl Param {
    pub(super) const fn new(
        name: &'static str,
        phase: Phase,
        form: Form,
        default: Default,
        doc: &'static str,
    ) -> Self {
        Self { name, also: None, phase, form, default, doc }
    }

    pub(super) const fn whole(
        name: &'static str,
        phase: Phase,
        default: i64,
        low: i64,
        high: i64,
        doc: &'static str,
    ) -> Self {
        Self::new(name, phase, Form::Whole(low, high), Default::Value(Value::Whole(default)), doc)
    }

    pub(super) const fn flag(name: &'static str, phase: Phase, default: bool, doc: &'static str) -> Self {
        Self::new(name, phase, Form::Flag, Default::Value(Value::Flag(default)), doc)
    }
}
