//! Under which conditions something was measured, in words that can be printed beside the figures.

use std::fs;
use std::path::Path;

use crate::programs;

/// Processor, memory, kernel, file system and versions. `tools` are programs and the flag that makes each say its
/// version.
pub(crate) fn conditions(folder: &Path, tools: &[(&Path, &str)]) -> String {
    let first = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let value =
            text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value.trim()));
        value.unwrap_or("unknown").to_owned()
    };
    // Counted here, since this process may have been kept on one of them.
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut command = std::process::Command::new("stat");
    let file_system = programs::output(command.args(["--file-system", "--format=%T"]).arg(folder));
    let file_system = file_system.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let mut lines = vec![
        format!(
            "- {cores} cores of {}, {} of memory",
            first("/proc/cpuinfo", "model name"),
            first("/proc/meminfo", "MemTotal")
        ),
        format!("- Linux {}, {} under the database", kernel.trim(), file_system.unwrap_or_default()),
        format!("- {}", programs::version("rustc", "--version")),
        format!("- commit {}", commit()),
    ];
    lines.extend(tools.iter().map(|(tool, flag)| format!("- {}", programs::version(tool, flag))));
    lines.join("\n")
}

/// The commit that was measured, and whether the tree differed from it.
fn commit() -> String {
    let mut git = std::process::Command::new("git");
    let described = programs::output(git.current_dir(programs::root()).args(["describe", "--always", "--dirty"]));
    described.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
