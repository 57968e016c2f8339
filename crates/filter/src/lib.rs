//! The boolean expression language: which rows a query, a search or a delete is about.
//!
//! An expression goes three steps. [`parse`] reads text into an [`Ast`], which knows no schema. [`bind`] ties it to a
//! schema and to template values and gives a [`Predicate`], in which nothing is ill-typed and constants are folded.
//! [`Predicate::eval`] answers it for columns of rows, 64 rows to a word.
//!
//! ```
//! # use data::{Column, Field, FieldId, Schema, Type};
//! # struct Table(Column);
//! # impl filter::Rows for Table {
//! #     fn len(&self) -> usize { self.0.len() }
//! #     fn column(&self, _: FieldId) -> Option<&Column> { Some(&self.0) }
//! # }
//! let schema = Schema { fields: vec![Field::new("age", Type::Int64)], ..Schema::default() };
//! let ast = filter::parse("21 <= age < 30 or age in {ages}")?;
//! let ages = data::Value::List(vec![data::Value::Int(7), data::Value::Int(77)]);
//! let predicate = filter::bind(&ast, &schema, &[("ages".to_owned(), ages)].into())?;
//! let rows = Table(Column::from_ints(vec![7, 20, 21, 29, 30, 77]));
//! assert_eq!(predicate.eval(&rows).iter().collect::<Vec<_>>(), [0, 2, 3, 5]);
//! # Ok::<(), filter::Error>(())
//! ```
//!
//! The logic is three-valued: a comparison with an absent value is unknown, and so is its negation; only rows of which
//! the whole is true match. An index may answer a leaf in place of the column: [`Rows::answer`]; what is known of thousands of rows
//! at once ([`Rows::zones`]) may settle them unseen. Grammar, precedence and the meaning of every operator stand in `GRAMMAR.md`.

mod ast;
mod bind;
mod error;
mod eval;
mod json;
mod lex;
mod like;
mod limits;
mod literal;
mod moment;
mod number;
mod parse;
mod predicate;
mod probe;
mod regex;
mod render;
mod sample;
mod set;
mod shape;
mod words;
mod zones;

pub use ast::Ast;
pub use bind::{bind, bind_in};
pub use error::{Error, ErrorKind, Problem, Span};
pub use eval::{BLOCK_ROWS, Rows};
pub use parse::parse;
pub use predicate::Predicate;
pub use probe::{Answer, Json, JsonKind, Probe, Question, locate};
pub use zones::{ZONE_ROWS, Zone, ZoneBuilder, Zones};
