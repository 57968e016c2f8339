//! Protobuf messages that hold many values of one kind, decoded into one buffer instead of value by value.
//!
//! Invariant: the bytes on the wire are exactly those of the generated message each stands in for. Decoding takes
//! every legal form: packed, unpacked, and in several pieces.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{
    DecodeContext, WireType, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
    skip_field,
};
use prost::{DecodeError, Message};

/// Both messages have one field, and this is its number.
const TAG: u32 = 1;

/// Stands for `repeated float data = 1`: little-endian floats, as they travel. A request's vectors stay a slice of the
/// buffer they arrived in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FloatArray {
    /// Four bytes a float, little-endian.
    pub data: Bytes,
}

impl FloatArray {
    /// The floats as they travel.
    pub fn from_floats(floats: &[f32]) -> Self {
        let mut data = BytesMut::with_capacity(floats.len() * 4);
        for value in floats {
            data.put_f32_le(*value);
        }
        Self { data: data.freeze() }
    }

    /// How many floats.
    pub fn len(&self) -> usize {
        self.data.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The floats, copied.
    pub fn to_floats(&self) -> Vec<f32> {
        floats_of(&self.data)
    }
}

/// Little-endian floats as numbers; bytes past the last whole float are left out.
pub(crate) fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

impl Message for FloatArray {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if !self.data.is_empty() {
            prost::encoding::bytes::encode(TAG, &self.data, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        let piece = match (tag, wire_type) {
            (TAG, WireType::LengthDelimited) => {
                let len = take_len(buf)?;
                if len % 4 != 0 {
                    return Err(broken("a packed list of floats is no multiple of four bytes"));
                }
                buf.copy_to_bytes(len)
            }
            (TAG, WireType::ThirtyTwoBit) => return self.push(buf),
            (TAG, _) => return Err(broken("a list of floats has another wire type")),
            _ => return skip_field(wire_type, tag, buf, ctx),
        };
        if self.data.is_empty() {
            self.data = piece;
        } else {
            let mut all = BytesMut::from(std::mem::take(&mut self.data));
            all.extend_from_slice(&piece);
            self.data = all.freeze();
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        if self.data.is_empty() { 0 } else { prost::encoding::bytes::encoded_len(TAG, &self.data) }
    }

    fn clear(&mut self) {
        self.data = Bytes::new();
    }
}

impl FloatArray {
    /// Takes one unpacked float.
    fn push(&mut self, buf: &mut impl Buf) -> Result<(), DecodeError> {
        if buf.remaining() < 4 {
            return Err(broken("a float is cut short"));
        }
        // The only owner gets its own buffer back here, so that many unpacked floats stay linear.
        let mut all = BytesMut::from(std::mem::take(&mut self.data));
        all.put_u32_le(buf.get_u32_le());
        self.data = all.freeze();
        Ok(())
    }
}

/// Stands for `repeated string data = 1` and `repeated bytes data = 1`: all values in one buffer. Whether the bytes
/// are UTF-8 is judged when they become a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextArray {
    offsets: Vec<i64>,
    bytes: Vec<u8>,
}

impl Default for TextArray {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl TextArray {
    /// How many values.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value.
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.offsets.push(self.bytes.len() as i64);
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.offsets.windows(2).map(|pair| self.span(pair))
    }

    /// Value `row`, when there is one.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.offsets.get(row..row.checked_add(2)?).map(|pair| self.span(pair))
    }

    /// Offsets (one more than values) and the buffer they point into.
    pub fn into_parts(self) -> (Vec<i64>, Vec<u8>) {
        (self.offsets, self.bytes)
    }

    fn span(&self, pair: &[i64]) -> &[u8] {
        &self.bytes[pair[0] as usize..pair[1] as usize]
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for TextArray {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self::default();
        for value in values {
            all.push(value.as_ref());
        }
        all
    }
}

impl Message for TextArray {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        for value in self.iter() {
            encode_key(TAG, WireType::LengthDelimited, buf);
            encode_varint(value.len() as u64, buf);
            buf.put_slice(value);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match (tag, wire_type) {
            (TAG, WireType::LengthDelimited) => {
                let mut left = take_len(buf)?;
                self.bytes.reserve(left);
                while left > 0 {
                    let chunk = buf.chunk();
                    let piece = chunk.len().min(left);
                    self.bytes.extend_from_slice(&chunk[..piece]);
                    buf.advance(piece);
                    left -= piece;
                }
                self.offsets.push(self.bytes.len() as i64);
                Ok(())
            }
            (TAG, _) => Err(broken("a list of texts has another wire type")),
            _ => skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        let keys = key_len(TAG) * self.len();
        let lengths: usize =
            self.offsets.windows(2).map(|pair| encoded_len_varint((pair[1] - pair[0]) as u64)).sum();
        keys + lengths + self.bytes.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Reads a length and makes sure that so many bytes are there.
fn take_len(buf: &mut impl Buf) -> Result<usize, DecodeError> {
    let len = decode_varint(buf)?;
    usize::try_from(len)
        .ok()
        .filter(|len| *len <= buf.remaining())
        .ok_or_else(|| broken("a length points past the end of the message"))
}

#[expect(deprecated, reason = "the only way prost offers to make this error")]
fn broken(why: &'static str) -> DecodeError {
    DecodeError::new(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message prost itself would make of `repeated float data = 1`.
    #[derive(Clone, PartialEq, Message)]
    struct Packed {
        #[prost(float, repeated, tag = "1")]
        data: Vec<f32>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Unpacked {
        #[prost(float, repeated, packed = "false", tag = "1")]
        data: Vec<f32>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Texts {
        #[prost(bytes = "vec", repeated, tag = "1")]
        data: Vec<Vec<u8>>,
    }

    proptest! {
        #[test]
        fn floats_travel_as_prost_sends_them(
            data in prop::collection::vec(-1e9_f32..1e9, 0..40),
            more in prop::collection::vec(-1e9_f32..1e9, 0..9),
        ) {
            let flat = FloatArray::from_floats(&data);
            let packed = Packed { data: data.clone() };
            prop_assert_eq!(flat.encode_to_vec(), packed.encode_to_vec());
            prop_assert_eq!(flat.encoded_len(), packed.encoded_len());
            let mut bytes = Unpacked { data: data.clone() }.encode_to_vec();
            bytes.extend(Packed { data: more.clone() }.encode_to_vec());
            let both = FloatArray::decode(&bytes[..]).unwrap();
            prop_assert_eq!(both.to_floats(), [data, more].concat());
        }

        #[test]
        fn texts_travel_as_prost_sends_them(data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..20)) {
            let flat: TextArray = data.iter().collect();
            let texts = Texts { data };
            prop_assert_eq!(flat.encode_to_vec(), texts.encode_to_vec());
            prop_assert_eq!(flat.encoded_len(), texts.encoded_len());
            let back = TextArray::decode(&texts.encode_to_vec()[..]).unwrap();
            prop_assert_eq!(back, flat);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = FloatArray::decode(&bytes[..]);
            let _ = TextArray::decode(&bytes[..]);
        }
    }
}
