//! Quotes.

use holdfast_evidence::{certificates, Part, Quote, Report, MAX_QUOTE};

use super::world::kept;

/// A quote as a client hands it in.
pub fn quote(data: &[u8]) -> bool {
    let quote = match Quote::parse(data) {
        Ok(quote) => quote,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.name().is_empty());
            return false;
        }
    };
    assert!(data.len() <= MAX_QUOTE);
    assert!((3..=5).contains(&quote.header.version));
    assert_eq!(quote.header.version == 3, matches!(quote.report, Report::Sgx(_)));
    // What is signed is what stands there, and says what the quote says.
    assert!(data.starts_with(&quote.signed.bytes));
    assert_eq!(quote.signed.parse(), Ok((quote.header, quote.report.clone())));
    kept(&quote.signed);
    kept(&quote.certification);
    kept(&quote.report);

    // All that is part of it is counted; what follows is not.
    let at = quote.signed.bytes.len();
    let counted = data[at..].first_chunk().map(|length| u32::from_le_bytes(*length) as usize).expect("four bytes");
    let end = at + 4 + counted;
    assert_eq!(Quote::parse(&data[..end]), Ok(quote.clone()));
    assert!(Quote::parse(&data[..end - 1]).is_err());
    if data.len() < MAX_QUOTE {
        assert_eq!(Quote::parse(&[data, &[0]].concat()), Ok(quote.clone()));
    }

    if let Ok(chain) = quote.pck_chain() {
        assert_eq!(quote.certification_data.1, chain);
        if let Ok(chain) = certificates(Part::PckChain, chain) {
            assert!((1..=3).contains(&chain.len()));
        }
    }
    true
}
