use holdfast_ta::{CellWrites, Fault, Kind, Measurement, Memory, RsaPublicKey, Tee};
use holdfast_ta_soft::SoftTee;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RsaEncoding, RsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256};

/// A private key that everybody knows, of 2048 bits, as PKCS #8. OpenSSL made it.
const WELL_KNOWN: &[u8] = include_bytes!("well-known.pk8");

/// What a production application is in, as far as the application can tell; still no TEE, and it says so.
pub(crate) struct Production {
    pub(crate) soft: SoftTee,
    /// How its measurements are signed; a platform without a way does not measure.
    pub(crate) padding: Option<&'static dyn RsaEncoding>,
}

/// Another than that of the measurements.
pub(crate) const OTHER_PADDING: &dyn RsaEncoding = &RSA_PKCS1_SHA256;

impl Production {
    /// One that measures as it should.
    pub(crate) fn measuring(soft: SoftTee) -> Self {
        Self { soft, padding: Some(&RSA_PSS_SHA256) }
    }
}

impl Tee for Production {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.soft.random(out)
    }
    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.soft.load(id)
    }
    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        self.soft.store(id, data)
    }
    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        self.soft.delete(id)
    }
    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        self.soft.list()
    }
    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        self.soft.load_cell()
    }
    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.soft.store_cell(data)
    }
    fn time_hint(&mut self) -> u64 {
        self.soft.time_hint()
    }
    fn kind(&self) -> Kind {
        self.soft.kind()
    }
    fn development(&self) -> bool {
        false
    }
    fn cell_writes(&self) -> CellWrites {
        self.soft.cell_writes()
    }
    fn rollback_protected(&self) -> bool {
        self.soft.rollback_protected()
    }
    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault> {
        let padding = self.padding.ok_or(Fault::NO_MEASUREMENT)?;
        let measurement = [0x4d; 32];
        let key = RsaKeyPair::from_pkcs8(WELL_KNOWN).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        let message = [*nonce, measurement].concat();
        key.sign(padding, &SystemRandom::new(), &message, &mut signature).unwrap();
        let PublicKeyComponents::<Vec<u8>> { n: modulus, e: exponent } = key.public().into();
        Ok(Measurement { measurement, signature, signer: RsaPublicKey { exponent, modulus } })
    }
    fn memory(&mut self) -> &mut Memory {
        self.soft.memory()
    }
}
