//! Words of the language. Keywords have two spellings, all lower and all upper; any other is a name.

use logos::{Lexer, Logos};

/// One word.
#[derive(Logos, Debug, Clone, Copy, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n]+")]
pub(crate) enum Token {
    #[token("(")]
    OpenParen,
    #[token(")")]
    CloseParen,
    #[token("[")]
    OpenBracket,
    #[token("]")]
    CloseBracket,
    #[token("{")]
    OpenBrace,
    #[token("}")]
    CloseBrace,
    #[token(",")]
    Comma,
    #[token("=")]
    Assign,
    #[token("==")]
    Equal,
    #[token("!=")]
    Unequal,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEqual,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEqual,
    #[token("=~")]
    Matches,
    #[token("!~")]
    MatchesNot,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("**")]
    Power,
    #[token("<<")]
    ShiftLeft,
    #[token(">>")]
    ShiftRight,
    #[token("&")]
    Ampersand,
    #[token("^")]
    Caret,
    #[token("|")]
    Bar,
    #[token("~")]
    Tilde,
    #[token("and")]
    #[token("AND")]
    #[token("&&")]
    And,
    #[token("or")]
    #[token("OR")]
    #[token("||")]
    Or,
    #[token("not")]
    #[token("NOT")]
    #[token("!")]
    Not,
    #[token("in")]
    #[token("IN")]
    In,
    #[token("like")]
    #[token("LIKE")]
    Like,
    #[token("exists")]
    #[token("EXISTS")]
    Exists,
    #[token("is null")]
    #[token("IS NULL")]
    IsNull,
    #[token("is not null")]
    #[token("IS NOT NULL")]
    IsNotNull,
    #[token("true")]
    #[token("True")]
    #[token("TRUE")]
    True,
    #[token("false")]
    #[token("False")]
    #[token("FALSE")]
    False,
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    #[token("$meta")]
    Name,
    #[token("$")]
    Element,
    #[regex(r"[0-9]+|0[xX][0-9a-fA-F]+|0[bB][01]+")]
    Integer,
    #[regex(r"([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+")]
    #[regex(r"0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")]
    Float,
    // The body is scanned by hand: strings may be megabytes long.
    #[regex(r#"(u8|u|U|L)?["']"#, close)]
    #[regex(r#"[rR]["']"#, close_raw)]
    Text,
}

/// Goes on to the quote that ends a string; false when there is none.
fn close(lexer: &mut Lexer<'_, Token>) -> bool {
    let quote = lexer.slice().bytes().last().unwrap_or(b'"');
    let rest = lexer.remainder().as_bytes();
    let mut at = 0;
    while let Some(found) = rest.get(at..).and_then(|rest| memchr::memchr2(quote, b'\\', rest)) {
        at += found;
        if rest.get(at) == Some(&quote) {
            lexer.bump(at + 1);
            return true;
        }
        at += 2;
    }
    false
}

/// The same for a string in which a backslash means nothing.
fn close_raw(lexer: &mut Lexer<'_, Token>) -> bool {
    let quote = lexer.slice().bytes().last().unwrap_or(b'"');
    match memchr::memchr(quote, lexer.remainder().as_bytes()) {
        Some(at) => {
            lexer.bump(at + 1);
            true
        }
        None => false,
    }
}
