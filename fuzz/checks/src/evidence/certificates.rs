//! Certificates, in PEM and in DER, and revocation lists.

use holdfast_evidence::{
    certificates, mock::Key, verify_crl, verify_issuer, verify_pck, CertificateKind, Crl, Error, Issuer, IssuerKind,
    Part, Pck, MAX_CRL, MAX_REVOKED,
};

use super::world::{kept, worlds, World, Wrapped, AT, NOW};
use crate::bytes::Bytes;

/// The first byte says what the certificate is for, and whether the rest is a chain in PEM, or what is to be signed.
pub fn certificate(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let kind =
        data.choose(&[CertificateKind::PckCa, CertificateKind::TcbSigner, CertificateKind::Pck, CertificateKind::Root]);
    if data.byte() & 1 != 0 {
        return chain(kind, data.0);
    }
    let wrapped = Wrapped::new(data.0, if kind == CertificateKind::Pck { Key::PlatformCa } else { Key::Root });
    match judge(kind, &wrapped.unsigned()) {
        // The trust anchor's signature is not looked at.
        Ok(()) => assert_eq!(kind, CertificateKind::Root),
        Err(Error::CertificateSignature { certificate }) => {
            assert_eq!(certificate, kind);
            judge(kind, &wrapped.signed()).expect("only the signature was wrong");
        }
        Err(_) => return false,
    }
    true
}

fn chain(kind: CertificateKind, pem: &[u8]) -> bool {
    let Ok(chain) = certificates(Part::PckChain, pem) else { return false };
    assert!((1..=3).contains(&chain.len()));
    // White space and the zero at the end are all that can be there beside.
    let padded = [b" \n", pem.strip_suffix(&[0]).unwrap_or(pem), b"\n\0"].concat();
    assert_eq!(certificates(Part::PckChain, &padded).as_ref(), Ok(&chain));
    for der in &chain {
        assert!(der.len() <= pem.len());
        let _ = judge(kind, der);
    }
    true
}

fn judge(kind: CertificateKind, der: &[u8]) -> Result<(), Error> {
    let World { root, root_crl, ca, pck_crl, .. } = &worlds()[0];
    match kind {
        CertificateKind::Pck => {
            let pck = verify_pck(der, ca, pck_crl, AT)?;
            let Pck { ca: issued_by, not_before, not_after, serial, .. } = pck;
            assert_eq!(issued_by, IssuerKind::PlatformCa);
            assert!((not_before..=not_after).contains(&NOW) && der.len() <= 4096);
            kept(&pck);
            let revoked = verify_pck(der, ca, &with(pck_crl, serial), AT);
            assert!(matches!(revoked, Err(Error::CertificateRevoked { .. })), "{revoked:?}");
        }
        CertificateKind::Root => {
            let root = Issuer::root(der)?;
            assert_eq!(root.kind, IssuerKind::Root);
            kept(&root);
        }
        _ => {
            let issuer = verify_issuer(kind, der, root, root_crl, AT)?;
            let Issuer { kind: found, not_before, not_after, serial, .. } = issuer;
            assert_eq!(found.is_pck_ca(), kind == CertificateKind::PckCa);
            assert!((not_before..=not_after).contains(&NOW) && der.len() <= 4096);
            kept(&issuer);
            let revoked = verify_issuer(kind, der, root, &with(root_crl, serial), AT);
            assert!(matches!(revoked, Err(Error::CertificateRevoked { .. })), "{revoked:?}");
        }
    }
    Ok(())
}

/// The list with one more that is revoked.
fn with(crl: &Crl, serial: [u8; 20]) -> Crl {
    let mut revoked: Vec<[u8; 20]> = crl.revoked.iter().copied().chain([serial]).collect();
    revoked.sort_unstable();
    Crl { revoked: revoked.try_into().expect("two at most"), ..crl.clone() }
}

/// The first byte says whose list it is, the root's or a PCK CA's; the rest is what is to be signed.
pub fn crl(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let World { root, ca, .. } = &worlds()[0];
    let (issuer, key) = data.choose(&[(root, Key::Root), (ca, Key::PlatformCa)]);
    let wrapped = Wrapped::new(data.0, key);
    match verify_crl(&wrapped.unsigned(), issuer, AT) {
        Ok(_) => panic!("nobody signed it"),
        Err(Error::DocumentSignature { .. }) => {}
        Err(_) => return false,
    }
    let signed = wrapped.signed();
    assert!(signed.len() <= MAX_CRL);
    match verify_crl(&signed, issuer, AT) {
        Ok(crl) => {
            assert_eq!(crl.issuer, issuer.kind);
            assert!((crl.this_update..crl.next_update).contains(&NOW));
            assert!(crl.revoked.len() <= MAX_REVOKED as usize);
            assert!(crl.revoked.iter().all(|serial| crl.revokes(serial)));
            kept(&crl);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !matches!(error, Error::DocumentSignature { .. }));
            false
        }
    }
}
