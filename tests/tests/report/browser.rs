//! A browser with a report in it.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use reveille_tests::{
    report::{Report, page},
    skipped::Skipped,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

/// How long a script may take in the page: only one that hangs takes as long.
const SCRIPT_LIMIT: Duration = Duration::from_secs(120);

/// A desk's window.
pub(crate) const DESK: (u32, u32) = (1280, 900);

/// The folder of what cargo builds here.
fn target() -> &'static Path {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().expect("it is in the target folder")
}

/// Where what is fetched is kept.
pub(crate) fn scratch() -> PathBuf {
    target().join("xtask")
}

/// Says what could not be tried here.
pub(crate) fn skip(line: &str) {
    let skipped = Skipped::below(&scratch());
    skipped.add(line).expect("the file can be written");
    eprintln!("SKIPPED: {line}");
}

/// A driver, which ends with the test.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts one on a free port; `None` where there is none.
    fn start() -> Option<Self> {
        // Their versions are looked at first: a driver without its browser fails late.
        for program in ["chromium", "chromedriver"] {
            let there = Command::new(program).arg("--version").output();
            if !there.is_ok_and(|it| it.status.success()) {
                return None;
            }
        }
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was there just now");
        let lines = BufReader::new(process.stdout.take().expect("it is a pipe")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("was started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port = port.expect("the driver says its port");
        Some(Self { process, port })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// A report that is open.
pub(crate) struct Page {
    pub(crate) driver: WebDriver,
    name: String,
}

/// Writes a report and opens it in a window of a desk; what `test` finds wrong ends the test.
pub(crate) fn open(name: &str, report: &Report, test: impl AsyncFnOnce(&Page)) {
    let file = write(name, report);
    let Some(browser) = Driver::start() else {
        return skip(
            "chromium and chromedriver are not installed, so no report was opened; .ci/run fetches them",
        );
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let url = format!("http://127.0.0.1:{}", browser.port);
        let driver = WebDriver::new(url, capabilities()).await;
        let driver = driver.expect("the browser starts");
        let limit = driver.set_script_timeout(SCRIPT_LIMIT).await;
        limit.expect("the browser takes a limit");
        let ended = driver.run_and_quit(async |driver| {
            let page = Page {
                driver,
                name: name.to_owned(),
            };
            page.resize(DESK).await;
            page.go(&file).await;
            test(&page).await;
            Ok::<_, Infallible>(())
        });
        ended.await.expect("the browser ends");
    });
}

/// The report's file, in the folder that is kept.
pub(crate) fn write(name: &str, report: &Report) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&folder).expect("there is room");
    let path = folder.join(format!("{name}.html"));
    let mut file = BufWriter::new(File::create(&path).expect("there is room"));
    page::write(report, &mut file).expect("a report can be written");
    file.flush().expect("there is room");
    path
}

fn capabilities() -> thirtyfour::ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        // In a container it is root, and what it opens is ours.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
    ] {
        capabilities.add_arg(argument).expect("it is a word");
    }
    for log in ["browser", "performance"] {
        let all = capabilities.set_logging_prefs(log, LoggingPrefsLogLevel::All);
        all.expect("it is a log");
    }
    capabilities
}

impl Page {
    /// Opens a file.
    pub(crate) async fn go(&self, file: &Path) {
        // What was open before has nothing to do with it.
        self.complaints().await;
        self.requests().await;
        let url = format!("file://{}", file.display());
        self.driver.goto(url).await.expect("it opens");
        self.settled().await;
    }

    /// What a script gives. `args` are its `arguments`.
    pub(crate) async fn js<T: DeserializeOwned>(&self, script: &str, args: &[Value]) -> T {
        let value = self.driver.execute(script, args.to_vec()).await;
        let value = value.unwrap_or_else(|error| panic!("{script}: {error}"));
        value
            .convert()
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a condition holds, frame by frame; the driver's time limit for scripts ends that.
    pub(crate) async fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0];
             const look = () => ({condition}) ? done(true) : requestAnimationFrame(look);
             look();"
        );
        let held = self.driver.execute_async(script, vec![]).await;
        held.unwrap_or_else(|error| panic!("never: {condition}: {error}"));
    }

    /// Waits until what was asked of the page is on the screen: two frames, as the first may have begun before.
    pub(crate) async fn settled(&self) {
        let script = "const done = arguments[0];
                      requestAnimationFrame(() => requestAnimationFrame(() => done(true)));";
        let settled = self.driver.execute_async(script, vec![]).await;
        settled.expect("frames are drawn");
    }

    /// What the console has since the last time.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("it keeps a log");
        log.into_iter()
            .map(|entry| format!("{} {}", entry.level, entry.message))
            .collect()
    }

    /// What was asked for since the last time, whether it was to be had or not.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let log = self
            .driver
            .get_log("performance")
            .await
            .expect("it keeps a log");
        let url = |entry: thirtyfour::BrowserLogEntry| {
            let event: Value = serde_json::from_str(&entry.message).expect("each is an event");
            let event = &event["message"];
            let is_request = event["method"] == "Network.requestWillBeSent";
            let url = event["params"]["request"]["url"].as_str();
            url.filter(|_| is_request).map(str::to_owned)
        };
        log.into_iter().filter_map(url).collect()
    }

    /// Makes the window as large as that, though it be a phone's.
    pub(crate) async fn resize(&self, (width, height): (u32, u32)) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        self.settled().await;
    }

    /// As a person wants pages: `light` or `dark`, on a `screen` or in `print`.
    pub(crate) async fn media(&self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let emulated = json!({"media": media, "features": features});
        self.cdp("Emulation.setEmulatedMedia", emulated).await;
        self.settled().await;
    }

    /// Tells the browser what its driver has no word for.
    pub(crate) async fn cdp(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Keeps what is seen, the whole page.
    pub(crate) async fn screenshot(&self, what: &str) {
        let size: (f64, f64) = self
            .js(
                "const it = document.documentElement; return [it.clientWidth, it.scrollHeight]",
                &[],
            )
            .await;
        let clip = json!({"x": 0, "y": 0, "width": size.0, "height": size.1, "scale": 1});
        let whole = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self.cdp("Page.captureScreenshot", whole).await;
        self.keep(&format!("{what}.png"), &answer);
    }

    /// Keeps what is seen in the window, under the pointer too.
    pub(crate) async fn window(&self, what: &str) {
        let answer = self
            .cdp("Page.captureScreenshot", json!({"format": "png"}))
            .await;
        self.keep(&format!("{what}.png"), &answer);
    }

    /// Keeps what would come out of a printer.
    pub(crate) async fn print(&self) {
        let answer = self
            .cdp("Page.printToPDF", json!({"printBackground": true}))
            .await;
        self.keep("paper.pdf", &answer);
    }

    fn keep(&self, what: &str, answer: &Value) {
        let data = answer["data"].as_str().expect("it has data");
        let bytes = BASE64_STANDARD.decode(data).expect("they are in base 64");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
        fs::write(folder.join(format!("{}-{what}", self.name)), bytes).expect("there is room");
    }
}
