//! The table of scalar index kinds: which fits which type, which parameters it takes, and what is said when it does not
//! fit. Invariant: a [`ScalarSpec`] that exists is valid; a kind, a range and a text are written here and nowhere else.

use super::Class;
use data::{Field, FieldId, Schema, Type};
use std::fmt;

/// A kind of scalar index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarKind {
    /// Distinct values in order, each with the rows that hold it.
    StlSort,
    /// The same for texts.
    Trie,
    /// The same for any scalar, for elements of arrays and for values inside of JSON.
    Inverted,
    /// The same, for few distinct values: a bit a row for each.
    Bitmap,
    /// Runs of characters, each with the rows whose text contains it.
    Ngram,
    /// Rectangles around shapes, in a tree.
    Rtree,
    /// Whatever suits the field; resolves to one of the others.
    Auto,
}

/// What a value inside of JSON is taken as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cast {
    Bool,
    Double,
    Varchar,
    ArrayBool,
    ArrayDouble,
    ArrayVarchar,
    /// Every kind of value, and elements of lists too.
    Json,
}

/// A whole-number parameter that must be given.
#[derive(Debug)]
struct Param {
    name: &'static str,
    low: i64,
    high: i64,
}

#[derive(Debug)]
struct Row {
    kind: ScalarKind,
    /// The first is the name in answers.
    names: &'static [&'static str],
    /// Fields.
    fits: &'static [Class],
    /// Elements of arrays.
    elements: &'static [Class],
    /// Sub-fields of structs.
    subs: &'static [Class],
    casts: &'static [Cast],
    params: &'static [Param],
    takes_key: bool,
    /// What is said of a field that does not fit.
    refusal: &'static str,
}

use Class::{Bool, Float, Int, Shape, Text, Time};

const NGRAM_CHARS_MAX: i64 = 1 << 10;

const TABLE: &[Row] = &[
    Row {
        kind: ScalarKind::StlSort,
        names: &["STL_SORT", "Sorted"],
        fits: &[Int, Float, Text, Time],
        elements: &[],
        subs: &[Int, Float, Text, Time],
        casts: &[Cast::Double, Cast::Varchar],
        params: &[],
        takes_key: true,
        refusal: "STL_SORT are only supported on numeric, varchar or timestamptz field",
    },
    Row {
        kind: ScalarKind::Trie,
        names: &["Trie", "TRIE"],
        fits: &[Text],
        elements: &[],
        subs: &[],
        casts: &[],
        params: &[],
        takes_key: true,
        refusal: "TRIE are only supported on varchar field",
    },
    Row {
        kind: ScalarKind::Inverted,
        names: &["INVERTED"],
        fits: &[Bool, Int, Float, Text],
        elements: &[Bool, Int, Float, Text],
        subs: &[Bool, Int, Float, Text],
        casts: &[
            Cast::Bool,
            Cast::Double,
            Cast::Varchar,
            Cast::ArrayBool,
            Cast::ArrayDouble,
            Cast::ArrayVarchar,
            Cast::Json,
        ],
        params: &[],
        takes_key: true,
        refusal: "INVERTED are only supported on bool, numeric, varchar, json field or array field of those",
    },
    Row {
        kind: ScalarKind::Bitmap,
        names: &["BITMAP"],
        fits: &[Bool, Int, Text],
        elements: &[Bool, Int, Text],
        subs: &[Bool, Int, Text],
        casts: &[Cast::Bool, Cast::Varchar],
        params: &[],
        takes_key: false,
        refusal: "bitmap index are only supported on bool, int, string and array field of those",
    },
    Row {
        kind: ScalarKind::Ngram,
        names: &["NGRAM"],
        fits: &[Text],
        elements: &[],
        subs: &[],
        casts: &[Cast::Varchar],
        params: &[
            Param { name: "min_gram", low: 1, high: NGRAM_CHARS_MAX },
            Param { name: "max_gram", low: 1, high: NGRAM_CHARS_MAX },
        ],
        takes_key: true,
        refusal: "Ngram index only support varchar and json field",
    },
    Row {
        kind: ScalarKind::Rtree,
        names: &["RTREE"],
        fits: &[Shape],
        elements: &[],
        subs: &[],
        casts: &[],
        params: &[],
        takes_key: false,
        refusal: "RTREE index can only be built on geometry field",
    },
];

/// The name of [`ScalarKind::Auto`].
const AUTOINDEX: &str = "AUTOINDEX";

const CASTS: &[(&str, Cast)] = &[
    ("BOOL", Cast::Bool),
    ("DOUBLE", Cast::Double),
    ("VARCHAR", Cast::Varchar),
    ("ARRAY_BOOL", Cast::ArrayBool),
    ("ARRAY_DOUBLE", Cast::ArrayDouble),
    ("ARRAY_VARCHAR", Cast::ArrayVarchar),
    ("JSON", Cast::Json),
];

impl Cast {
    fn name(self) -> &'static str {
        CASTS.iter().find(|(_, cast)| *cast == self).map_or("", |(name, _)| name)
    }
}

/// What an index is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Over {
    /// The values of a field.
    Values(Class),
    /// The elements of an array.
    Elements(Class),
    /// What JSON documents hold at a path.
    Json {
        /// The way to it.
        path: Vec<String>,
        /// What it is taken as.
        cast: Cast,
    },
}

/// A valid specification of an index on a scalar field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalarSpec {
    kind: ScalarKind,
    pub(crate) field: FieldId,
    pub(crate) over: Over,
    /// How long runs are, in characters: the least and the most ([`ScalarKind::Ngram`]).
    pub(crate) grams: (usize, usize),
}

/// Why a specification was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// The parameters are wrong.
    #[error("{0}")]
    Wrong(String),
    /// A parameter is missing.
    #[error("{context}: missing parameter[missing_param={name}]")]
    Missing {
        /// What for.
        context: &'static str,
        /// Which one.
        name: &'static str,
    },
}

fn wrong(text: impl fmt::Display) -> ScalarError {
    ScalarError::Wrong(text.to_string())
}

/// The last of equal names counts; quotes around a value do not.
fn text<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = params.iter().rfind(|(key, _)| key == name)?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value)).filter(|value| !value.is_empty())
}

impl ScalarSpec {
    /// Reads `index_type` and the kind's own parameters for an index on `field` of `schema`; other names are ignored.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(field: &Field, schema: &Schema, params: &[(String, String)]) -> Result<Self, ScalarError> {
        let name = text(params, "index_type").unwrap_or(AUTOINDEX);
        let row = TABLE.iter().find(|row| row.names.contains(&name));
        if row.is_none() && name != AUTOINDEX {
            return Err(if is_vector_kind(name) {
                wrong(format_args!("index {name} only supports vector data type"))
            } else {
                wrong(format_args!("invalid index type: {name}"))
            });
        }
        let over = Self::over(field, schema, row, params)?;
        let mut spec =
            Self { kind: row.map_or(ScalarKind::Auto, |row| row.kind), field: field.id, over, grams: (0, 0) };
        if let Some(row) = row {
            if field.is_primary && !row.takes_key {
                return Err(wrong(format_args!(
                    "create {} index on primary key not supported",
                    row.names[0].to_lowercase()
                )));
            }
            spec.take_params(row, params)?;
        }
        Ok(spec)
    }

    /// What the index is on, when the kind of `row` fits that.
    fn over(
        field: &Field,
        schema: &Schema,
        row: Option<&Row>,
        params: &[(String, String)],
    ) -> Result<Over, ScalarError> {
        let refused = || {
            let (name, data_type) = (&field.name, field.data_type);
            match row {
                Some(row) => wrong(format_args!("{}, field {name} is {data_type:?}", row.refusal)),
                None => wrong(format_args!("AUTOINDEX does not support field {name} of type {data_type:?}")),
            }
        };
        if field.data_type == Type::Json {
            return Self::over_json(field, schema, row, params);
        }
        if field.data_type == Type::Text {
            return Err(wrong(format_args!(
                "TEXT field does not support user-created scalar index, field: {}",
                field.name
            )));
        }
        if field.data_type == Type::Array {
            let class =
                field.element.and_then(Class::of).filter(|class| *class != Shape).ok_or_else(refused)?;
            let is_sub = schema.structure_of(field.id).is_some();
            return match row {
                Some(row) if is_sub && row.subs.contains(&class) => Ok(Over::Elements(class)),
                Some(row) if !is_sub && row.elements.contains(&class) => Ok(Over::Elements(class)),
                None => Ok(Over::Elements(class)),
                Some(_) => Err(refused()),
            };
        }
        let class = Class::of(field.data_type).ok_or_else(refused)?;
        match row {
            Some(row) if !row.fits.contains(&class) => Err(refused()),
            _ => Ok(Over::Values(class)),
        }
    }

    fn over_json(
        field: &Field,
        schema: &Schema,
        row: Option<&Row>,
        params: &[(String, String)],
    ) -> Result<Over, ScalarError> {
        let context = "json index must specify cast type";
        let asked = text(params, "json_cast_type");
        let asked = asked.ok_or(ScalarError::Missing { context, name: "json_cast_type" })?;
        let cast = CASTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked)).map(|(_, cast)| *cast);
        let cast = cast.ok_or_else(|| wrong(format_args!("json_cast_type {asked} is not supported")))?;
        let row = row.unwrap_or(&TABLE[2]);
        if !row.casts.contains(&cast) {
            if row.casts.is_empty() {
                return Err(wrong(format_args!("{}, field {} is JSON", row.refusal, field.name)));
            }
            let (cast, kind) = (cast.name(), row.names[0]);
            return Err(wrong(format_args!("json_cast_type {cast} is not supported for index {kind}")));
        }
        if let Some(function) = text(params, "json_cast_function") {
            if !function.eq_ignore_ascii_case("STRING_TO_DOUBLE") {
                return Err(wrong(format_args!("json_cast_function {function} is not supported")));
            }
            if cast != Cast::Double {
                let cast = cast.name();
                return Err(wrong(format_args!(
                    "json_cast_function STRING_TO_DOUBLE is only supported with json_cast_type DOUBLE, not {cast}"
                )));
            }
        }
        let Some(path) = text(params, "json_path") else {
            return Ok(Over::Json { path: Vec::new(), cast });
        };
        let located = filter::locate(path, schema)
            .map_err(|error| wrong(format_args!("cannot parse identifier: {path}, error: {error}")))?;
        if located.0 != field.id {
            return Err(wrong(format_args!("json_path {path} names another field than {}", field.name)));
        }
        Ok(Over::Json { path: located.1, cast })
    }

    fn take_params(&mut self, row: &Row, params: &[(String, String)]) -> Result<(), ScalarError> {
        let mut values = Vec::with_capacity(row.params.len());
        for param in row.params {
            let name = param.name;
            let context = "Ngram index must specify both min_gram and max_gram";
            let value = text(params, name).ok_or_else(|| wrong(context))?;
            let number: i64 = value.parse().map_err(|_| {
                wrong(format_args!("{name} for Ngram index must be an integer, got: {value}"))
            })?;
            if number < param.low || number > param.high {
                let (low, high) = (param.low, param.high);
                return Err(wrong(format_args!("{number} out of range {low} <= {name} <= {high}")));
            }
            values.push(number as usize);
        }
        if let [low, high] = values[..] {
            if low > high {
                return Err(wrong(format_args!(
                    "invalid min_gram or max_gram value for Ngram index, min_gram: {low}, max_gram: {high}"
                )));
            }
            self.grams = (low, high);
        }
        Ok(())
    }

    /// The field it is on.
    pub fn field(&self) -> FieldId {
        self.field
    }

    /// The kind that was asked for.
    pub fn kind(&self) -> ScalarKind {
        self.kind
    }

    /// Where in a JSON document the values are; empty for other fields.
    pub fn path(&self) -> &[String] {
        match &self.over {
            Over::Json { path, .. } => path,
            Over::Values(_) | Over::Elements(_) => &[],
        }
    }

    /// The kind that is built; which of two AUTOINDEX takes depends on how many distinct values there are.
    pub(crate) fn built(&self, distinct: usize) -> ScalarKind {
        match (self.kind, &self.over) {
            (ScalarKind::Auto, Over::Values(Bool)) => ScalarKind::Bitmap,
            (ScalarKind::Auto, Over::Values(Shape)) => ScalarKind::Rtree,
            (ScalarKind::Auto, Over::Values(Time)) => ScalarKind::StlSort,
            (ScalarKind::Auto, Over::Values(Int | Text)) if distinct <= CARDINALITY_MAX => ScalarKind::Bitmap,
            (ScalarKind::Auto, Over::Values(_)) => ScalarKind::StlSort,
            (ScalarKind::Auto, _) => ScalarKind::Inverted,
            (kind, _) => kind,
        }
    }

    /// What is built over a column with `distinct` different values (`None`: not known yet), as names and values:
    /// AUTOINDEX is resolved once that is known.
    pub fn effective(&self, distinct: Option<usize>) -> Vec<(String, String)> {
        let kind = match (self.kind, distinct) {
            (ScalarKind::Auto, None) => ScalarKind::Auto,
            (_, distinct) => self.built(distinct.unwrap_or_default()),
        };
        let name = TABLE.iter().find(|row| row.kind == kind).map_or(AUTOINDEX, |row| row.names[0]);
        let mut pairs = vec![("index_type", name.to_owned())];
        if let Over::Json { path, cast } = &self.over {
            pairs.push(("json_path", path.join("/")));
            pairs.push(("json_cast_type", cast.name().to_owned()));
        }
        if self.kind == ScalarKind::Ngram {
            pairs.push(("min_gram", self.grams.0.to_string()));
            pairs.push(("max_gram", self.grams.1.to_string()));
        }
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Up to this many distinct values AUTOINDEX takes a bitmap for each.
const CARDINALITY_MAX: usize = 100;

/// Whether `name` is a kind of vector index.
fn is_vector_kind(name: &str) -> bool {
    let params = [("index_type", name), ("metric_type", "L2")];
    let params = params.map(|(key, value)| (key.to_owned(), value.to_owned()));
    !matches!(index::Spec::parse(index::Element::F32, 8, &params), Err(index::Error::UnknownIndexType { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let mut fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("b", Type::Bool),
            Field::new("i", Type::Int32),
            Field::new("f", Type::Float),
            Field::new("s", Type::VarChar).with_max_length(10),
            Field::new("j", Type::Json),
            Field::dynamic(),
        ];
        for (field, id) in fields.iter_mut().zip(100..) {
            field.id = FieldId(id);
        }
        Schema { fields, ..Schema::default() }
    }

    fn parse(field: &str, params: &[(&str, &str)]) -> Result<ScalarSpec, String> {
        let schema = schema();
        let params: Vec<_> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ScalarSpec::parse(schema.field(field).unwrap(), &schema, &params).map_err(|error| error.to_string())
    }

    #[test]
    fn what_fits_what() {
        let fits = [
            ("STL_SORT", &["id", "i", "f", "s"][..]),
            ("Trie", &["s"]),
            ("TRIE", &["s"]),
            ("INVERTED", &["id", "b", "i", "f", "s"]),
            ("BITMAP", &["b", "i", "s"]),
            ("RTREE", &[]),
            ("AUTOINDEX", &["id", "b", "i", "f", "s"]),
        ];
        for (kind, fields) in fits {
            for field in ["id", "b", "i", "f", "s"] {
                let parsed = parse(field, &[("index_type", kind)]);
                assert_eq!(parsed.is_ok(), fields.contains(&field), "{kind} on {field}: {parsed:?}");
            }
        }
    }

    /// A field, parameters, and a part of what is said.
    type Refusal = (&'static str, &'static [(&'static str, &'static str)], &'static str);

    #[test]
    fn refusals() {
        let cases: &[Refusal] = &[
            ("f", &[("index_type", "BITMAP")], "bitmap index are only supported on bool, int, string"),
            ("id", &[("index_type", "BITMAP")], "create bitmap index on primary key not supported"),
            ("i", &[("index_type", "TRIE")], "TRIE are only supported on varchar field"),
            ("b", &[("index_type", "STL_SORT")], "STL_SORT are only supported on numeric"),
            ("i", &[("index_type", "RTREE")], "RTREE index can only be built on geometry field"),
            ("i", &[("index_type", "HNSW")], "index HNSW only supports vector data type"),
            ("i", &[("index_type", "HYBRID")], "invalid index type: HYBRID"),
            ("i", &[("index_type", "ANNOY")], "index ANNOY only supports vector data type"),
            ("i", &[("index_type", "BTREE")], "invalid index type: BTREE"),
            (
                "i",
                &[("index_type", "NGRAM"), ("min_gram", "2"), ("max_gram", "3")],
                "Ngram index only support",
            ),
            ("s", &[("index_type", "NGRAM"), ("min_gram", "2")], "must specify both min_gram and max_gram"),
            (
                "s",
                &[("index_type", "NGRAM"), ("min_gram", "x"), ("max_gram", "3")],
                "must be an integer, got: x",
            ),
            ("s", &[("index_type", "NGRAM"), ("min_gram", "0"), ("max_gram", "3")], "0 out of range 1"),
            (
                "s",
                &[("index_type", "NGRAM"), ("min_gram", "4"), ("max_gram", "3")],
                "min_gram: 4, max_gram: 3",
            ),
            ("j", &[("index_type", "INVERTED")], "missing parameter[missing_param=json_cast_type]"),
            (
                "j",
                &[("index_type", "INVERTED"), ("json_cast_type", "INT")],
                "json_cast_type INT is not supported",
            ),
            (
                "j",
                &[("index_type", "BITMAP"), ("json_cast_type", "double")],
                "DOUBLE is not supported for index BITMAP",
            ),
            (
                "j",
                &[("index_type", "Trie"), ("json_cast_type", "varchar")],
                "TRIE are only supported on varchar",
            ),
            (
                "j",
                &[("index_type", "INVERTED"), ("json_cast_type", "varchar"), ("json_path", "i")],
                "names another field",
            ),
            (
                "j",
                &[("index_type", "INVERTED"), ("json_cast_type", "varchar"), ("json_path", "j[")],
                "cannot parse identifier",
            ),
            (
                "j",
                &[
                    ("index_type", "INVERTED"),
                    ("json_cast_type", "varchar"),
                    ("json_cast_function", "STRING_TO_DOUBLE"),
                ],
                "only supported with json_cast_type DOUBLE",
            ),
        ];
        for (field, params, want) in cases {
            let got = parse(field, params).unwrap_err();
            assert!(got.contains(want), "{got:?} should contain {want:?}");
        }
    }

    #[test]
    fn paths() {
        let json = |field, path| {
            let cast = ("json_cast_type", "varchar");
            parse(field, &[("index_type", "INVERTED"), cast, ("json_path", path)])
                .map(|spec| spec.path().to_vec())
        };
        assert_eq!(json("j", r#"j["a"]["b"][1]"#).unwrap(), ["a", "b", "1"]);
        assert_eq!(json("j", "j").unwrap(), [""; 0]);
        assert_eq!(json("$meta", "color").unwrap(), ["color"]);
        assert_eq!(json("$meta", r#"$meta["color"]"#).unwrap(), ["color"]);
        assert_eq!(parse("j", &[("json_cast_type", "DOUBLE")]).unwrap().path(), [""; 0]);
    }

    #[test]
    fn rows_of_the_table_make_sense() {
        for row in TABLE {
            let same = |other: &&Row| {
                other.kind == row.kind || other.names.iter().any(|name| row.names.contains(name))
            };
            assert_eq!(TABLE.iter().filter(same).count(), 1, "{:?}", row.kind);
            assert!(!row.fits.is_empty() && row.params.iter().all(|param| param.low <= param.high));
        }
    }
}
