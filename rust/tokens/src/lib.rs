//! How many tokens a text is in OpenAI's encodings, from vocabularies that are compiled in: nothing is ever downloaded.
//!
//! A crate of its own for three reasons: the engine stays pure statistics, the bindings only check and wrap, and the
//! counts are held against OpenAI's own code by Rust tests, which the bindings cannot have.

use avowal_engine::parallel::map_units;
use avowal_engine::{Error, Interrupt, Result};
use tiktoken::CoreBpe;

/// The encodings that can be asked for: of GPT-4o, GPT-4.1 and later, and of GPT-4 and GPT-3.5.
pub const ENCODINGS: [&str; 2] = ["o200k_base", "cl100k_base"];

/// Texts that are counted between two looks at the interrupt; some 10 kilobytes to some megabytes.
const CHUNK: usize = 256;

/// One encoding; the first use of each unpacks its vocabulary, once in the life of the process.
#[derive(Clone, Copy)]
pub struct Tokenizer(&'static CoreBpe);

impl Tokenizer {
    /// The encoding of that name, one of [`ENCODINGS`].
    pub fn named(name: &str) -> Result<Self> {
        let known = ENCODINGS.contains(&name).then(|| tiktoken::get_encoding(name));
        known
            .flatten()
            .map(Self)
            .ok_or_else(|| Error::input("encoding", ENCODINGS.join(" or "), name))
    }

    /// The number of tokens in `text`. What looks like a special token, such as `<|endoftext|>`, is counted as text.
    pub fn count(self, text: &str) -> usize {
        self.0.count(text)
    }

    /// The tokens of `text`, with the same reading of special tokens as [`count`](Self::count).
    pub fn encode(self, text: &str) -> Vec<u32> {
        self.0.encode(text)
    }

    /// The bytes that tokens stand for; whole texts come back as they were.
    pub fn decode(self, tokens: &[u32]) -> Vec<u8> {
        self.0.decode(tokens)
    }

    /// The number of tokens in each text of a buffer: text `i` is `buffer[offsets[i]..offsets[i + 1]]`, in UTF-8.
    pub fn count_many(self, buffer: &[u8], offsets: &[u64], threads: usize, interrupt: &Interrupt) -> Result<Vec<u64>> {
        let texts = offsets.len().saturating_sub(1);
        let chunks = map_units(threads, texts.div_ceil(CHUNK), interrupt, |chunk| {
            (chunk * CHUNK..texts.min((chunk + 1) * CHUNK))
                .map(|i| Ok(self.count(text_at(buffer, offsets, i)?) as u64))
                .collect::<Result<Vec<_>>>()
        })?;
        Ok(chunks.concat())
    }
}

fn text_at<'a>(buffer: &'a [u8], offsets: &[u64], i: usize) -> Result<&'a str> {
    let end = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let (from, to) = (end(offsets[i]), end(offsets[i + 1]));
    let bytes = buffer.get(from..to).ok_or_else(|| {
        let expected = format!("increasing offsets up to {}", buffer.len());
        Error::input("offsets", expected, format!("{from} before {to}"))
    })?;
    std::str::from_utf8(bytes).map_err(|error| Error::input("texts", "UTF-8", format!("text {i}: {error}")))
}
