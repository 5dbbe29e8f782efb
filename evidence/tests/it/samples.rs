//! Four real quotes, on the days on which their collateral was good. See `tests/data/dcap-qvl/README.md`.

use holdfast_evidence::{
    certificates,
    mock::{development_root, Plan},
    CertificateKind, Collateral, Document, Error, IssuerKind, Part, Quote, TcbStatus, Verified, INTEL_ROOT,
};

use crate::case::{any_status, judge_by};

/// Security versions that are below all levels: SGX components, PCE, TDX components.
type Below = ([u8; 16], u16, [u8; 16]);

/// A quote, its collateral, and the first and the last second at which that is good.
pub(crate) struct Sample {
    pub(crate) quote: &'static [u8],
    collateral: &'static str,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Whose window begins last.
    before: Document,
    /// Whose window ends first.
    after: Document,
    /// `Err` has the platform's components and PCE's version, and the TD's TEE_TCB_SVN.
    verdict: Result<(TcbStatus, &'static [&'static str]), Below>,
}

impl Sample {
    pub(crate) fn collateral(&self) -> Collateral {
        serde_json::from_str(self.collateral).expect("a collateral file")
    }

    fn judge(&self, now: u64) -> Result<Verified, Error> {
        judge_by(self.quote, &self.collateral(), INTEL_ROOT, now, &any_status())
    }

    /// That it is judged as Intel judges it.
    fn assert_verdict(&self, now: u64) {
        match (self.judge(now), self.verdict) {
            (Ok(Verified { verdict, .. }), Ok((status, advisories))) => {
                let found: Vec<String> = verdict.advisories.iter().map(ToString::to_string).collect();
                assert_eq!(verdict.status, status, "{now}");
                assert_eq!(found, advisories, "{now}");
            }
            (Err(error), Err((components, pce_svn, tee_tcb_svn))) => {
                let (components, tee_tcb_svn) = (components.into(), Some(tee_tcb_svn.into()));
                assert_eq!(error, Error::TcbLevel { components, pce_svn, tee_tcb_svn }, "{now}");
            }
            (found, expected) => panic!("{now}: {found:?}, and should be {expected:?}"),
        }
    }
}

macro_rules! sample {
    ($name:literal, $first:literal, $before:ident, $last:literal, $after:ident, $verdict:expr) => {
        Sample {
            quote: include_bytes!(concat!("../data/dcap-qvl/", $name)),
            collateral: include_str!(concat!("../data/dcap-qvl/", $name, "_collateral.json")),
            first: $first,
            last: $last,
            before: Document::$before,
            after: Document::$after,
            verdict: $verdict,
        }
    };
}

/// SGX, TDX 1.0, 1.5 and 1.5ex.
pub(crate) fn all() -> [Sample; 4] {
    use TcbStatus::{ConfigurationAndSWHardeningNeeded, UpToDate};
    let advisories = &["INTEL-SA-00289", "INTEL-SA-00615"];
    let sgx = Ok((ConfigurationAndSWHardeningNeeded, &advisories[..]));
    let up_to_date = Ok((UpToDate, &[][..]));
    let (components, tee_tcb_svn) = ([3, 3, 2, 2, 4, 1, 0, 3], [7, 1, 3, 0, 0, 0, 0, 0]);
    let padded = |svns: [u8; 8]| std::array::from_fn(|index| svns.get(index).copied().unwrap_or_default());
    let outdated = Err((padded(components), 13, padded(tee_tcb_svn)));
    [
        sample!("sgx_quote", 1_750_330_571, TcbInfo, 1_752_919_278, QeIdentity, sgx),
        sample!("tdx_quote", 1_750_329_147, QeIdentity, 1_752_919_234, PckCrl, up_to_date),
        sample!("tdx_quote_outdated", 1_771_412_331, TcbInfo, 1_774_003_274, PckCrl, outdated),
        sample!("tdx_quote_td15ex", 1_791_419_306, PckCrl, 1_794_008_711, QeIdentity, up_to_date),
    ]
}

#[test]
fn real_quotes_have_their_verdict_from_the_first_to_the_last_second() {
    for sample in all() {
        for now in [sample.first, sample.first + 1, sample.last - 1, sample.last] {
            sample.assert_verdict(now);
        }
    }
}

#[test]
fn real_quotes_are_refused_one_second_before_and_one_second_after() {
    for sample in all() {
        let (document, now) = (sample.before, sample.first - 1);
        let expected = Error::DocumentNotYetValid { document, issued: sample.first, now };
        assert_eq!(sample.judge(now).unwrap_err(), expected);

        let (document, now) = (sample.after, sample.last + 1);
        // A revocation list is too late at the very second at which there should be a newer one, collateral after it.
        let next_update = match document {
            Document::TcbInfo | Document::QeIdentity => sample.last,
            Document::RootCrl | Document::PckCrl => now,
        };
        let expected = Error::DocumentExpired { document, next_update, grace: 0, now };
        assert_eq!(sample.judge(now).unwrap_err(), expected);
    }
}

#[test]
fn real_quotes_are_refused_by_another_root() {
    // One with the very name of Intel's, but another key.
    let mut namesake = Plan::default();
    for name in [&mut namesake.certificates.root.subject, &mut namesake.certificates.root.issuer] {
        name.organization = "Intel Corporation".into();
    }
    let namesake = namesake.unsigned().sign().root;
    for sample in all() {
        let by_root = |root: &[u8]| judge_by(sample.quote, &sample.collateral(), root, sample.first, &any_status());
        assert_eq!(by_root(&development_root()), Err(Error::CrlSigner { expected: IssuerKind::Root }));
        assert_eq!(by_root(&namesake), Err(Error::DocumentSignature { document: Document::RootCrl }));
        assert_eq!(by_root(&[]), Err(Error::CertificateEncoding { certificate: CertificateKind::Root }));
    }
}

#[test]
fn no_other_real_certificate_is_a_root() {
    for sample in all() {
        let by_root = |root: &[u8]| judge_by(sample.quote, &sample.collateral(), root, sample.first, &any_status());
        let quote = Quote::parse(sample.quote).expect("a quote");
        let chain = certificates(Part::PckChain, quote.pck_chain().expect("a chain")).expect("PEM");
        let [pck, ca, root] = chain.as_slice() else { panic!("{} certificates", chain.len()) };
        assert_eq!(root, INTEL_ROOT);

        let certificate = CertificateKind::Root;
        let no_ca = Error::BasicConstraints { certificate, is_ca: Some(false), expected: true };
        assert_eq!(by_root(pck), Err(no_ca.clone()));
        let found = if quote.header.version == 3 { "Intel SGX PCK Processor CA" } else { "Intel SGX PCK Platform CA" };
        assert_eq!(by_root(ca), Err(Error::CertificateName { certificate, found: found.into() }));
        let signers = certificates(Part::TcbInfoIssuerChain, sample.collateral().tcb_info_issuer_chain.as_bytes());
        assert_eq!(by_root(&signers.expect("PEM")[0]), Err(no_ca));
    }
}

#[test]
fn what_follows_a_real_quote_is_no_part_of_it() {
    // As the platform made it, with 70 zeros behind it.
    const QUOTE: usize = 5006 - 70;
    let [_, sample, ..] = all();
    let collateral = sample.collateral();
    let judge = |length: usize| judge_by(&sample.quote[..length], &collateral, INTEL_ROOT, sample.first, &any_status());
    let whole = judge(sample.quote.len()).expect("good");
    for length in QUOTE..sample.quote.len() {
        assert_eq!(judge(length).as_ref(), Ok(&whole), "{length}");
    }
    for length in 0..QUOTE {
        let error = judge(length).unwrap_err();
        assert!(matches!(error, Error::Truncated { part: Part::Quote, .. }), "{length}: {error:?}");
    }
}

#[test]
fn a_real_quote_and_its_collateral_are_refused_with_a_bit_changed() {
    let [_, sample, ..] = all();
    let good = sample.collateral();
    let judge =
        |quote: &[u8], collateral: &Collateral| judge_by(quote, collateral, INTEL_ROOT, sample.first, &any_status());
    // Up to the certification data, every byte is signed, a signature, a length, a type or a hash. Bits of some.
    for index in (0..632 + 4 + 64 + 64 + 6 + 384 + 64 + 2 + 32 + 6).step_by(5) {
        let mut quote = sample.quote.to_vec();
        quote[index] ^= 1 << (index % 8);
        assert!(judge(&quote, &good).is_err(), "{index}");
    }
    type Field = fn(&mut Collateral) -> &mut Vec<u8>;
    let fields: [Field; 4] = [
        |it| &mut it.root_ca_crl,
        |it| &mut it.pck_crl,
        |it| &mut it.tcb_info_signature,
        |it| &mut it.qe_identity_signature,
    ];
    for field in fields {
        let length = field(&mut sample.collateral()).len();
        for index in (0..length).step_by(length.div_ceil(40)).chain([length - 1]) {
            let mut collateral = good.clone();
            field(&mut collateral)[index] ^= 1 << (index % 8);
            assert!(judge(sample.quote, &collateral).is_err(), "{index}");
        }
    }
}
