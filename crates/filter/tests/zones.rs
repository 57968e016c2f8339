//! Zones never change an answer, and spare the look at columns.

#[cfg(test)]
mod tests {
    use data::{Column, ColumnBuilder, Field, FieldId, Schema, Type, Value};
    use filter::{Predicate, Rows, ZONE_ROWS, ZoneBuilder, Zones, bind, parse};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    struct Table {
        columns: Vec<Column>,
        zones: Option<Vec<Zones>>,
        looks: Cell<usize>,
    }

    impl Table {
        fn new(columns: Vec<Column>) -> Self {
            Self { columns, zones: None, looks: Cell::new(0) }
        }

        /// The same rows with their zones, which are shown in pieces of `piece` rows.
        fn zoned(&self, piece: usize) -> Self {
            let zones = self.columns.iter().map(|column| {
                let mut zones = ZoneBuilder::default();
                for start in (0..column.len()).step_by(piece) {
                    zones.add(column, start..(start + piece).min(column.len()));
                }
                zones.finish()
            });
            Self { columns: self.columns.clone(), zones: Some(zones.collect()), looks: Cell::new(0) }
        }
    }

    fn place(field: FieldId) -> usize {
        usize::try_from(field.0 - 100).expect("fields count from 100")
    }

    impl Rows for Table {
        fn len(&self) -> usize {
            self.columns[0].len()
        }

        fn column(&self, field: FieldId) -> Option<&Column> {
            self.looks.set(self.looks.get() + 1);
            self.columns.get(place(field))
        }

        fn zones(&self, field: FieldId) -> Option<&Zones> {
            self.zones.as_ref()?.get(place(field))
        }
    }

    const TYPES: [(&str, Type); 8] = [
        ("b", Type::Bool),
        ("i8", Type::Int8),
        ("i32", Type::Int32),
        ("i64", Type::Int64),
        ("f", Type::Float),
        ("d", Type::Double),
        ("t", Type::Timestamptz),
        ("s", Type::VarChar),
    ];

    fn bound(text: &str) -> Predicate {
        let fields = TYPES.iter().enumerate().map(|(i, (name, data_type))| Field {
            id: FieldId(100 + i as i64),
            nullable: true,
            ..Field::new(name, *data_type)
        });
        let schema = Schema { fields: fields.collect(), ..Schema::default() };
        bind(&parse(text).expect("it parses"), &schema, &BTreeMap::new()).expect("it binds")
    }

    const TEXTS: [&str; 12] = [
        "",
        "a",
        "ab",
        "ab\0",
        "ab\0c",
        "abc",
        "abcdefgh",
        "abcdefghi",
        "abcdefghz",
        "abd",
        "é",
        "zzzzzzzzzzzz",
    ];
    const FLOATS: [f64; 10] =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 0.1, -2.5, 3.0, 16_777_217.0, 1e300];
    const INTS: [i64; 7] = [-128, -3, 0, 1, 5, 6, 127];

    fn value(data_type: Type, seed: usize) -> Value {
        match data_type {
            Type::Bool => Value::Bool(seed.is_multiple_of(2)),
            Type::Float => Value::Double(f64::from(FLOATS[seed % FLOATS.len()] as f32)),
            Type::Double => Value::Double(FLOATS[seed % FLOATS.len()]),
            Type::VarChar => Value::Text(TEXTS[seed % TEXTS.len()].to_owned()),
            _ => Value::Int(INTS[seed % INTS.len()]),
        }
    }

    /// Of each zone: what its values are made of (one value or two neighbours), and how many of ten are absent.
    fn column(data_type: Type, zones: &[(usize, usize, usize)], rows: usize) -> Column {
        let mut builder = ColumnBuilder::new(data_type, 0);
        for row in 0..rows {
            let (seed, variety, absent) = zones[row / ZONE_ROWS % zones.len()];
            let mixed = row.wrapping_mul(0x9e37_79b9) >> 7;
            match mixed % 10 < absent {
                true => builder.push_null(),
                false => builder.push(&value(data_type, seed + mixed % variety)),
            }
        }
        builder.finish()
    }

    fn literal(data_type: Type, seed: usize) -> String {
        match value(data_type, seed) {
            Value::Bool(value) => value.to_string(),
            Value::Double(value) if !value.is_finite() => "1.5".to_owned(),
            Value::Double(value) => format!("{value:?}"),
            Value::Text(text) => format!("\"{}\"", text.replace('\0', "\\x00")),
            Value::Int(value) if data_type == Type::Timestamptz => {
                let sign = if value < 0 { "1969-12-31T23:59:59.9999" } else { "1970-01-01T00:00:00.0000" };
                format!("ISO '{sign}{:02}Z'", (value + 200) % 100)
            }
            Value::Int(value) => value.to_string(),
            _ => "0".to_owned(),
        }
    }

    fn leaf() -> impl Strategy<Value = String> {
        (0..TYPES.len(), 0..9_usize, 0..40_usize, 0..40_usize).prop_map(|(field, form, a, b)| {
            let (name, data_type) = TYPES[field];
            let (first, second) = (literal(data_type, a), literal(data_type, b));
            let is_number = data_type.is_number();
            match form {
                0 => format!("{name} is null"),
                1 => format!("{name} is not null"),
                2 if data_type != Type::Timestamptz => format!("{name} in [{first}, {second}]"),
                3 if data_type == Type::VarChar => {
                    format!("{name} like \"{}%\"", &TEXTS[a % 12].replace('\0', "\\x00"))
                }
                4 if data_type == Type::VarChar => {
                    format!("{name} like \"{}%c\"", &TEXTS[a % 6].replace('\0', ""))
                }
                5 if is_number => format!("{name} >= {first} and {name} < {second}"),
                6 if data_type.is_integer() => format!("{name} + 1 > {second}"),
                7 => format!("{name} != {first}"),
                _ if data_type == Type::Bool => format!("{name} == {first}"),
                8 => format!("{name} == {first}"),
                form => format!("{name} {} {first}", ["<", "<=", ">", ">="][form % 4]),
            }
        })
    }

    fn expression() -> impl Strategy<Value = String> {
        leaf().prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|a| format!("not ({a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) or ({b})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn zones_change_no_answer(
            seeds in prop::collection::vec((0..20_usize, 1..3_usize, prop_oneof![Just(0_usize), Just(10), 0..4_usize]), 3),
            cut in 1..ZONE_ROWS,
            piece in prop_oneof![Just(1000_usize), Just(4096), Just(9000)],
            texts in prop::collection::vec(expression(), 40),
        ) {
            let rows = 2 * ZONE_ROWS + cut;
            let columns = TYPES.iter().enumerate().map(|(i, (_, data_type))| {
                let mut zones = seeds.clone();
                zones.rotate_left(i % 3);
                column(*data_type, &zones, rows)
            });
            let plain = Table::new(columns.collect());
            let zoned = plain.zoned(piece);
            for text in texts {
                let predicate = bound(&text);
                prop_assert_eq!(predicate.eval(&plain), predicate.eval(&zoned), "{}", text);
            }
        }
    }

    #[test]
    fn what_zones_settle_is_not_looked_at() {
        let times = Column::from_ints((0..5 * ZONE_ROWS as i64).collect());
        let columns = TYPES.iter().map(|_| times.clone()).collect();
        let zoned = Table::new(columns).zoned(777);
        for (text, found, looks) in [
            ("i64 < 0", 0, 0),
            ("i64 >= 0", 5 * ZONE_ROWS, 0),
            ("i64 < 4096", ZONE_ROWS, 0),
            ("i64 < 4097", ZONE_ROWS + 1, 1),
            ("i64 in [-1, 99999999]", 0, 0),
            ("not (i64 >= 0) or i64 is null", 0, 0),
            ("i64 + 1 < 0", 0, 1),
        ] {
            zoned.looks.set(0);
            assert_eq!(bound(text).eval(&zoned).count(), found, "{text}");
            assert_eq!(zoned.looks.get(), looks, "{text}");
        }
    }

    #[test]
    fn not_a_number_is_neither_inside_nor_outside() {
        let mut column = ColumnBuilder::new(Type::Double, 0);
        (0..ZONE_ROWS).for_each(|row| column.push(&Value::Double(if row == 7 { f64::NAN } else { 1.0 })));
        let column = column.finish();
        let zoned = Table::new(TYPES.iter().map(|_| column.clone()).collect()).zoned(ZONE_ROWS);
        assert_eq!(bound("d == 1").eval(&zoned).count(), ZONE_ROWS - 1);
        assert_eq!(bound("d != 1").eval(&zoned).count(), 1);
        assert_eq!(bound("d > 2").eval(&zoned).count(), 0);
        assert_eq!(bound("not (d > 2)").eval(&zoned).count(), ZONE_ROWS);
    }
}
