//! The report: one Markdown page with its plots, the values that it is made of beside it, and the table of the README.
//!
//! Invariant: page, plots and README are made from the values alone, so that they can be made anew without measuring and
//! never differ.

use super::{
    Part, aims,
    chapter::{Block, Chapter, Table},
    machine::{self, Machine},
    settings::Settings,
};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

const PAGE: &str = "benchmarks.md";
const VALUES: &str = "benchmarks.json";
const IMAGES: &str = "images";
/// With what the names of all plots begin.
const OURS: &str = "bench-";
/// Where the README's table stands.
const BEGIN: &str = "<!-- benchmarks: written by scripts/bench --book -->\n";
const END: &str = "<!-- benchmarks: end -->\n";
/// The page while no report is committed.
pub const UNMEASURED: &str = "\
<!-- Written by scripts/bench from benchmarks.json. -->
# Benchmarks

What a facilitator must cost, what it was measured to cost, and what a comparison in the same run costs: `scripts/bench --book` \
measures all of it and writes this page, on which nothing stands until then; `scripts/bench --help` tells the parts.
";

/// All chapters, measured on one machine at one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// How much was measured.
    pub settings: Settings,
    /// When it was begun, seconds since 1970.
    pub begun: u64,
    /// What was found.
    pub chapters: Vec<Chapter>,
}

impl Report {
    /// An empty one, begun now.
    ///
    /// # Errors
    /// When the clock is before 1970.
    pub fn new(machine: Machine, settings: Settings) -> Result<Self> {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self { machine, settings, begun, chapters: Vec::new() })
    }

    /// The one that was written into a folder.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(VALUES);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// The one of a folder that some parts are to be measured anew for.
    ///
    /// # Errors
    /// When it can't be read, or was measured elsewhere, at another commit or otherwise: a report tells of one machine, one
    /// commit and one manner.
    pub fn go_on(folder: &Path, machine: Machine, settings: Settings) -> Result<Self> {
        if !folder.join(VALUES).exists() {
            return Self::new(machine, settings);
        }
        let report = Self::read(folder)?;
        ensure!(
            report.machine == machine,
            "the report in {} is of another machine or commit: measure all parts\nthat: {:?}\nthis: {machine:?}",
            folder.display(),
            report.machine
        );
        ensure!(report.settings.is_like(&settings), "the report in {} has other settings", folder.display());
        Ok(report)
    }

    /// Puts a chapter in its place, instead of an older one of its part.
    pub fn put(&mut self, chapter: Chapter) {
        let place = |name: &str| Part::ALL.iter().position(|part| part.name() == name);
        self.chapters.retain(|old| old.part != chapter.part);
        let before = self.chapters.iter().take_while(|other| place(&other.part) < place(&chapter.part)).count();
        self.chapters.insert(before, chapter);
    }

    /// The chapter of a part, where it was measured.
    #[must_use]
    pub fn chapter(&self, part: &str) -> Option<&Chapter> {
        self.chapters.iter().find(|chapter| chapter.part == part)
    }

    /// Writes the values alone into a folder, so that what was measured is not lost where it can't be shown.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all((serde_json::to_string_pretty(self)? + "\n").as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(folder.join(VALUES)).with_context(|| format!("cannot write {VALUES}"))?;
        Ok(())
    }

    /// Writes values, page and plots into a folder: all, or what stood there stays.
    ///
    /// # Errors
    /// When a figure is missing, a plot can't be drawn, or a file can't be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        // All is made before anything is written.
        let (pictures, page) = (self.pictures()?, self.page()?);
        let images = folder.join(IMAGES);
        fs::create_dir_all(&images).with_context(|| format!("cannot make {}", images.display()))?;
        let staged = tempfile::TempDir::new_in(folder)?;
        fs::create_dir(staged.path().join(IMAGES))?;
        self.keep(staged.path())?;
        fs::write(staged.path().join(PAGE), page)?;
        for (name, svg) in &pictures {
            fs::write(staged.path().join(name), svg)?;
        }
        let names = pictures.iter().map(|(name, _)| name.as_str()).chain([PAGE, VALUES]);
        for name in names {
            fs::rename(staged.path().join(name), folder.join(name))?;
        }
        for entry in fs::read_dir(&images)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Of plots that there are no longer.
            if name.starts_with(OURS) && !pictures.iter().any(|(picture, _)| *picture == format!("{IMAGES}/{name}")) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The paths of the plots below the report's folder, and what is in them.
    ///
    /// # Errors
    /// When one can't be drawn, or two have one name.
    pub fn pictures(&self) -> Result<Vec<(String, String)>> {
        let mut names = BTreeSet::new();
        let plots = self.chapters.iter().flat_map(Chapter::plots);
        plots
            .map(|plot| {
                let name = &plot.name;
                ensure!(name.starts_with(OURS) && names.insert(name), "two plots named {name}, or not {OURS}");
                Ok((format!("{IMAGES}/{}.svg", plot.name), plot.svg()?))
            })
            .collect()
    }

    /// The page.
    ///
    /// # Errors
    /// When a figure is missing.
    pub fn page(&self) -> Result<String> {
        let mut page = format!(
            "<!-- Written by scripts/bench from {VALUES}. -->\n# Benchmarks\n\nWhat a facilitator must cost, what it was \
             measured to cost, and what a comparison in the same run costs. `scripts/bench --book` measures all of it and \
             writes this page; `scripts/bench --help` tells the parts.\n\n{}",
            aims::table(self)?.markdown()
        );
        page += &format!(
            "\n## Machine and method\n\nMeasured on {} on one machine, on which nodes, proxies, stakers and facilitator run side \
             by side. On the nodes stands the whole set of the published contracts, a fresh pair of nodes for each run; RPC is \
             counted by a proxy before each node, gas from receipts, memory and processor time from `/proc`. The product is \
             run as it is shipped and looked at from outside; fee policy and the rows of a restart alone are made with its own \
             code.\n\n{}",
            machine::day(self.begun),
            Table::new(&["", "here"], self.machine.rows()).markdown(),
        );
        let gain = aims::fork_server(self)?;
        for chapter in &self.chapters {
            page += &format!("\n## {}\n", chapter.title);
            for block in &chapter.blocks {
                page += &match block {
                    Block::Text(text) => format!("\n{text}\n"),
                    Block::Table(table) => format!("\n{}", table.markdown()),
                    Block::Plot(plot) => format!("\n![{}]({IMAGES}/{}.svg)\n", plot.title, plot.name),
                };
            }
            if let Some(gain) = gain.as_ref().filter(|_| chapter.part == Part::Workers.name()) {
                page += &format!("\n{gain}\n");
            }
        }
        Ok(page)
    }

    /// Checks what is known before anything is measured: whether it can be a report of the product as it ships.
    ///
    /// # Errors
    /// Why it can't.
    pub fn is_worthy(&self) -> Result<()> {
        self.machine.ships().and_then(|()| self.settings.suffice()).context("no report for the book")
    }

    /// What stands in the README between its marks.
    ///
    /// # Errors
    /// When an aim was not measured, or not as it is meant, or anything of a trial: a debug build, fewer samples.
    pub fn readme(&self) -> Result<String> {
        self.is_worthy()?;
        aims::complete(self)?;
        Ok(format!(
            "{}\nMeasured on {} ({}, {} cores, {} build) by `scripts/bench --book`; all figures, plots and the method stand in the \
             [report](docs/src/{PAGE}).\n",
            aims::table(self)?.markdown(),
            machine::day(self.begun),
            self.machine.processor,
            self.machine.cores,
            self.machine.build,
        ))
    }

    /// Puts the table into a README.
    ///
    /// # Errors
    /// As [`Report::readme`], or when the file has no marks or can't be written.
    pub fn write_readme(&self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let old = between_marks(&text).with_context(|| file.display().to_string())?;
        let whole = |inner: &str| format!("{BEGIN}{inner}{END}");
        Ok(fs::write(file, text.replacen(&whole(old), &whole(&self.readme()?), 1))?)
    }
}

/// What stands between the marks of a README.
///
/// # Errors
/// When it has none.
pub fn between_marks(text: &str) -> Result<&str> {
    let found = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    found.map(|(inner, _)| inner).context("no marks of the benchmarks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Axis, Line, Plot};

    fn machine() -> Machine {
        let text = "x".to_owned();
        Machine {
            processor: "Some CPU".into(),
            cores: 2,
            memory_mib: 1024,
            system: text.clone(),
            anvil: text.clone(),
            rustc: text.clone(),
            build: "release".into(),
            is_foreign: false,
            node: text.clone(),
            contracts: text.clone(),
            commit: text,
        }
    }

    fn report() -> Report {
        let lines = vec![Line { name: "loop".into(), points: vec![(1.0, 2.0), (3.0, 4.0)] }];
        let plot = Plot {
            name: "bench-scan".into(),
            title: "Rate".into(),
            x: Axis::linear("block"),
            y: Axis::linear("blocks/s"),
            lines,
        };
        let scan = Chapter::new("scan", "Reading").text("so").table(&["x"], vec![vec!["1".into()]]).plot(plot);
        let scan =
            scan.figure("blocks", 100_001.0).figure("percent", 93.4).figure("rate", 12_345.0).figure("bare", 13_000.0);
        Report { machine: machine(), settings: Settings::default(), begun: 1_790_000_000, chapters: vec![scan] }
    }

    #[test]
    fn a_page_has_aims_machine_tables_and_plots_and_is_the_same_when_made_anew() {
        let (report, folder) = (report(), tempfile::TempDir::new().unwrap());
        report.write(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join(PAGE)).unwrap();
        for part in [
            "| scanning 100 001 blocks | ≥ 90 % of the rate of a bare loop of the same calls | 93.4 %: 12 345 blocks/s |",
            "| bare loop: 13 000 blocks/s | yes |",
            "| processor | Some CPU, 2 cores |",
            "Measured on 2026-09-21",
            "## Reading\n\nso\n\n| x |\n| --- |\n| 1 |\n",
            "![Rate](images/bench-scan.svg)",
        ] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
        assert!(folder.path().join("images/bench-scan.svg").exists());
        let read = Report::read(folder.path()).unwrap();
        assert_eq!((&read, read.page().unwrap()), (&report, page));
    }

    #[test]
    fn an_aim_that_is_missed_says_so_and_one_without_its_figure_is_an_error() {
        let mut report = report();
        let scan = || Chapter::new("scan", "Reading").figure("blocks", 10.0);
        report.put(scan().figure("percent", 89.9).figure("rate", 1.0).figure("bare", 1.0));
        assert!(report.page().unwrap().contains("| no |"));
        report.put(scan().figure("percent", 93.0));
        assert_eq!(report.page().unwrap_err().to_string(), "part scan has not measured rate");
    }

    #[test]
    fn a_trial_is_no_report_for_the_readme() {
        let why = |report: Report| format!("{:#}", report.readme().unwrap_err());
        let on = |machine| why(Report { machine, ..report() });
        assert!(on(Machine { build: "debug".into(), ..machine() }).ends_with("a debug build, not a release"));
        assert!(on(Machine { commit: "ab, changed".into(), ..machine() }).contains("files differ from the commit"));
        assert!(on(Machine { is_foreign: true, ..machine() }).ends_with("$FACILITATOR names another product"));
        let settings = Settings { runs: 1, ..Settings::default() };
        assert_eq!(why(Report { settings, ..report() }), "no report for the book: --runs 1: at least 3");
    }

    #[test]
    fn what_can_not_be_shown_leaves_the_old_report_as_it_was() {
        let (mut report, folder) = (report(), tempfile::TempDir::new().unwrap());
        report.write(folder.path()).unwrap();
        let old = Report::read(folder.path()).unwrap();
        report.put(Chapter::new("scan", "Reading"));
        assert!(report.write(folder.path()).is_err());
        assert_eq!(Report::read(folder.path()).unwrap(), old);
        assert!(folder.path().join("images/bench-scan.svg").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_readme_gets_a_table_only_when_all_was_measured() {
        let error = report().readme().unwrap_err().to_string();
        assert_eq!(error, "stakes was not measured");
        let text = format!("# A\n{BEGIN}old\n{END}\n# B\n");
        assert_eq!(between_marks(&text).unwrap(), "old\n");
        assert!(between_marks("# A\n").is_err());
    }

    #[test]
    fn chapters_stand_in_the_order_of_the_parts_and_only_on_their_own_machine() {
        let mut report = report();
        for part in ["instances", "stakes", "scan", "gas"] {
            report.put(Chapter::new(part, part));
        }
        let parts: Vec<&str> = report.chapters.iter().map(|chapter| chapter.part.as_str()).collect();
        assert_eq!(parts, ["stakes", "gas", "scan", "instances"]);
        let folder = tempfile::TempDir::new().unwrap();
        let go_on = |machine| Report::go_on(folder.path(), machine, Settings::default());
        assert!(go_on(machine()).unwrap().chapters.is_empty());
        let empty = Report { chapters: vec![], ..report };
        empty.write(folder.path()).unwrap();
        assert_eq!(go_on(machine()).unwrap(), empty);
        assert!(go_on(Machine { cores: 3, ..machine() }).is_err());
        let less = Settings { runs: 1, ..Settings::default() };
        assert!(Report::go_on(folder.path(), machine(), less).is_err());
    }
}
