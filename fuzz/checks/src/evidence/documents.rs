//! TCB info and QE identities.

use codec::Encode;
use holdfast_evidence::{
    certify_attestation_key, mock::Key, verify_qe_identity, verify_tcb_info, Document, Error, SignedDocument,
    TcbStatus, MAX_DOCUMENT, MAX_LEVELS, MAX_QE_LEVELS,
};

use super::world::{any_status, kept, worlds, World, AT, NOW, SEED};

/// What a document says, after Intel's signer signed it: first with a signature that is none, then with one.
fn verified<T: PartialEq + std::fmt::Debug>(
    document: Document,
    json: &[u8],
    verify: impl Fn(&SignedDocument) -> Result<T, Error>,
) -> Option<T> {
    let input = match SignedDocument::new(document, json, &[1; 64]) {
        Ok(input) => input,
        Err(error) => {
            assert!(json.len() > MAX_DOCUMENT as usize, "{error}");
            return None;
        }
    };
    kept(&input);
    match verify(&input) {
        Ok(_) => panic!("nobody signed it"),
        Err(Error::DocumentSignature { .. }) => {}
        // What is no object is not even looked at.
        Err(error) => {
            assert!(!json.starts_with(b"{"), "{error}");
            return None;
        }
    }
    let input = SignedDocument { signature: SEED.sign(Key::TcbSigner, json), ..input };
    let found = verify(&input);
    assert_eq!(verify(&input), found);
    if let Err(error) = &found {
        assert!(!error.to_string().is_empty() && !error.encode().is_empty());
        assert!(!matches!(error, Error::DocumentSignature { .. }));
    }
    found.ok()
}

/// The JSON of TCB info; the mock platforms are judged by it.
pub fn tcb_info(data: &[u8]) -> bool {
    let signer = &worlds()[0].tcb_signer;
    let Some(info) = verified(Document::TcbInfo, data, |input| verify_tcb_info(input, signer, AT)) else {
        return false;
    };
    assert!((info.issued..=info.next_update).contains(&NOW));
    assert!(info.levels.len() <= MAX_LEVELS as usize);
    let order = |level: &holdfast_evidence::TcbLevel| (level.sgx, level.pce_svn, level.tdx);
    assert!(info.levels.windows(2).all(|pair| order(&pair[0]) >= order(&pair[1])));
    kept(&info);
    for world in worlds() {
        let world = World { tcb_info: info.clone(), ..world.clone() };
        let _ = world.judge(&any_status());
    }
    true
}

/// The JSON of a QE identity; the mock platforms' QEs are judged by it.
pub fn qe_identity(data: &[u8]) -> bool {
    let signer = &worlds()[0].tcb_signer;
    let Some(identity) = verified(Document::QeIdentity, data, |input| verify_qe_identity(input, signer, AT)) else {
        return false;
    };
    assert!((identity.issued..=identity.next_update).contains(&NOW));
    assert!(identity.levels.len() <= MAX_QE_LEVELS as usize);
    assert!(identity.levels.windows(2).all(|pair| pair[0].isv_svn > pair[1].isv_svn));
    kept(&identity);
    for world in worlds() {
        let certified = certify_attestation_key(&world.quote.certification, &world.pck, &identity);
        let world = World { qe_identity: identity.clone(), ..world.clone() };
        let judged = world.judge(&any_status());
        // A QE that is not certified is not good later either, and one that is only if it was not revoked.
        assert!(certified.is_ok() || judged.is_err());
        if let (Ok(key), Err(error)) = (certified, judged) {
            assert_eq!(key, world.attestation_key);
            let revoked = identity.levels.iter().any(|level| level.status == TcbStatus::Revoked);
            let crowded = identity.levels.iter().any(|level| level.advisories.iter().count() > 60);
            assert!((error == Error::TcbRevoked && revoked) || crowded, "{error}");
        }
    }
    true
}
