//! The tasks of [`api`](crate::api).

use crate::api::*;
use crate::{Engine, Error};
use data::Timestamp;

impl Task for Flush {
    type Outcome = Vec<Flushed>;
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for FlushAll {
    type Outcome = Timestamp;
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for FlushState {
    type Outcome = bool;
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for Load {
    type Outcome = ();
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for Release {
    type Outcome = ();
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for Compact {
    type Outcome = i64;
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}

impl Task for Compacted {
    type Outcome = CompactionInfo;
    fn run(self, _engine: &Engine) -> Result<Self::Outcome, Error> {
        Err(Error::internal("being written"))
    }
}
