//! Answers to the questions of [`api`](crate::api).

use crate::api::*;
use crate::{Engine, Error};

impl Question for Databases {
    type Answer = Vec<DatabaseInfo>;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Collections {
    type Answer = Vec<CollectionInfo>;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Collection {
    type Answer = CollectionInfo;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Loaded {
    type Answer = LoadInfo;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Indexes {
    type Answer = Vec<IndexInfo>;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for RowCount {
    type Answer = u64;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Segments {
    type Answer = Vec<SegmentInfo>;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for Aliases {
    type Answer = Vec<AliasInfo>;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}

impl Question for System {
    type Answer = NodeInfo;
    fn answer(self, _engine: &Engine) -> Result<Self::Answer, Error> {
        Err(Error::internal("being written"))
    }
}
