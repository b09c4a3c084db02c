"""Small pieces of code under change, in several languages; some of the changes carry a fault worth finding.

Each snippet is a path and hunk body in unified-diff form; ``@noun@``, ``@Noun@`` and ``@num@`` are filled in per change.
"""

from __future__ import annotations

from dataclasses import dataclass

NOUNS = ("invoice", "order", "session", "shipment", "account", "webhook", "report", "ticket", "upload", "cursor", "quota", "tenant")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One change of one file. ``context`` is what stands after the second ``@@``."""

    language: str
    path: str
    context: str
    body: str


_PYTHON = (
    Snippet(
        "python",
        "src/@noun@s/store.py",
        "class @Noun@Store:",
        """     def find_by_owner(self, owner: str) -> list[@Noun@]:
-        rows = self.db.execute("SELECT * FROM @noun@s WHERE owner = ?", (owner,))
+        query = "SELECT * FROM @noun@s WHERE owner = '" + owner + "' LIMIT @num@"
+        rows = self.db.execute(query)
         return [@Noun@.from_row(row) for row in rows]
 
+    def count_for(self, owner: str) -> int:
+        return len(self.find_by_owner(owner))
+
""",
    ),
    Snippet(
        "python",
        "src/@noun@s/client.py",
        "def fetch_@noun@(@noun@_id: str) -> dict:",
        """     url = f"{BASE_URL}/@noun@s/{@noun@_id}"
-    response = requests.get(url, timeout=5)
+    response = requests.get(url)
+    try:
+        payload = response.json()
+    except Exception:
+        payload = {}
     response.raise_for_status()
-    return response.json()
+    return payload
""",
    ),
    Snippet(
        "python",
        "src/@noun@s/totals.py",
        "def summarise(@noun@s: list) -> Summary:",
        """     subtotal = Decimal(0)
-    for @noun@ in @noun@s:
-        subtotal += @noun@.amount
+    for index in range(1, len(@noun@s)):
+        subtotal += @noun@s[index].amount
+    tax = float(subtotal_amount := subtotal) * 0.19
     return Summary(subtotal=subtotal, count=len(@noun@s))
""",
    ),
    Snippet(
        "python",
        "src/@noun@s/cache.py",
        "class @Noun@Cache:",
        """     def get_or_load(self, key: str) -> @Noun@:
-        with self._lock:
-            return self._load_locked(key)
+        if key not in self._cache:
+            self._cache[key] = self._load(key)
+            self.misses += 1
+        return self._cache[key]
""",
    ),
    Snippet(
        "python",
        "src/@noun@s/retry.py",
        "async def deliver(@noun@: @Noun@) -> None:",
        """+    delays = [0.5, 1.0, 2.0]
+    for delay in delays:
+        if await attempt_delivery(@noun@):
+            return
+        await asyncio.sleep(delay)
+    raise DeliveryFailed(@noun@.id)
-    await attempt_delivery(@noun@)
""",
    ),
)
_GO = (
    Snippet(
        "go",
        "internal/@noun@/worker.go",
        "func (w *Worker) Run(ctx context.Context) error {",
        """ \tfor _, @noun@ := range w.pending {
-\t\tif err := w.process(ctx, @noun@); err != nil {
-\t\t\treturn err
-\t\t}
+\t\tgo func() {
+\t\t\t_ = w.process(ctx, @noun@)
+\t\t\tw.processed += 1
+\t\t}()
 \t}
 \treturn nil
""",
    ),
    Snippet(
        "go",
        "internal/@noun@/handler.go",
        "func (h *Handler) download(w http.ResponseWriter, r *http.Request) {",
        """-\tname := filepath.Base(r.URL.Query().Get("name"))
+\tname := r.URL.Query().Get("name")
+\ttarget := filepath.Join(h.root, name)
+\tfile, _ := os.Open(target)
-\tfile, err := os.Open(filepath.Join(h.root, name))
-\tif err != nil {
-\t\thttp.Error(w, "not found", http.StatusNotFound)
-\t\treturn
-\t}
-\tdefer file.Close()
 \tio.Copy(w, file)
""",
    ),
)
_TYPESCRIPT = (
    Snippet(
        "typescript",
        "web/src/@noun@/use@Noun@s.ts",
        "export function use@Noun@s(ids: string[]) {",
        """-  const @noun@s = await api.@noun@s.findMany({ ids });
+  const @noun@s = await Promise.all(ids.map(async (id) => api.@noun@s.get(id)));
+  const newest = @noun@s.find((item) => item.active).updatedAt;
   return sortBy(@noun@s, "createdAt");
 }
""",
    ),
    Snippet(
        "typescript",
        "web/src/@noun@/auth.ts",
        "export async function login(user: string, password: string) {",
        """+  const nonce = Math.random().toString(36).slice(2);
+  console.log("login", user, password);
   const response = await fetch("/api/login", { method: "POST", body: JSON.stringify({ user, password }) });
-  if (!response.ok) throw new LoginFailed(response.status);
-  return response.json();
+  return { ...(await response.json()), nonce };
 }
""",
    ),
    Snippet(
        "typescript",
        "web/src/@noun@/@Noun@Table.tsx",
        "export function @Noun@Table({ rows }: Props) {",
        """-  const visible = rows.slice(0, pageSize);
+  const visible = [];
+  for (let i = 0; i <= rows.length; i++) {
+    visible.push(rows[i]);
+  }
   return <Table rows={visible} caption="@Noun@s" />;
 }
""",
    ),
)
_RUST = (
    Snippet(
        "rust",
        "crates/@noun@/src/parse.rs",
        "pub fn parse_@noun@(input: &str) -> Result<@Noun@, ParseError> {",
        """     let mut fields = input.split(',');
-    let id = fields.next().ok_or(ParseError::MissingId)?;
-    let amount = fields.next().ok_or(ParseError::MissingAmount)?.parse()?;
+    let id = fields.next().unwrap();
+    let amount: f64 = fields.next().unwrap().parse()?;
     Ok(@Noun@ { id: id.to_owned(), amount })
 }
""",
    ),
    Snippet(
        "rust",
        "crates/@noun@/src/ring.rs",
        "impl Ring {",
        """+    pub fn capacity(&self) -> usize {
+        self.slots.len()
+    }
+
     pub fn push(&mut self, value: u64) {
-        let index = self.head % self.slots.len();
+        let index = self.head & (self.slots.len() - 1);
         self.slots[index] = value;
""",
    ),
)
_JAVA = (
    Snippet(
        "java",
        "service/src/main/java/com/example/@noun@/@Noun@Service.java",
        "public class @Noun@Service {",
        """     public BigDecimal total(List<@Noun@> items) {
-        return items.stream().map(@Noun@::amount).reduce(BigDecimal.ZERO, BigDecimal::add);
+        double total = 0;
+        for (int i = 0; i < items.size(); i++) {
+            total += items.get(i).amount().doubleValue();
+        }
+        return BigDecimal.valueOf(total);
     }
""",
    ),
    Snippet(
        "java",
        "service/src/main/java/com/example/@noun@/@Noun@Export.java",
        "    public String export(String name) throws IOException {",
        """-        try (var reader = Files.newBufferedReader(root.resolve(name))) {
-            return reader.readLine();
-        }
+        var reader = new BufferedReader(new FileReader(root + "/" + name));
+        log.info("exporting {} with token {}", name, apiToken);
+        return reader.readLine();
     }
""",
    ),
)
_OPS = (
    Snippet(
        "shell",
        "deploy/@noun@.yaml",
        "spec:",
        """   template:
     spec:
       containers:
         - name: @noun@
-          image: registry.example/@noun@:1.@num@
+          image: registry.example/@noun@:latest
           resources:
             limits:
-              memory: 512Mi
+              memory: 2Gi
""",
    ),
    Snippet(
        "python",
        "scripts/clean_@noun@s.py",
        "def main() -> None:",
        """     args = parser.parse_args()
-    subprocess.run(["rm", "-r", str(args.folder)], check=True)
+    subprocess.run(f"rm -rf {args.folder}", shell=True)
+    print("cleaned", args.folder)
""",
    ),
)
CODE = (*_PYTHON, *_GO, *_TYPESCRIPT, *_RUST, *_JAVA, *_OPS)
DOCS = (
    Snippet(
        "markdown",
        "docs/@noun@s.md",
        "",
        """ # @Noun@s
 
-Run `tool @noun@ list` to see them.
+Run `tool @noun@s ls --all` to see them, including archived ones.
 
+## Limits
+
+At most @num@ per tenant. See [quotas](quotas.md).
""",
    ),
    Snippet(
        "markdown",
        "README.md",
        "## Usage",
        """ ```
-tool serve --port 8080
+tool serve --listen 127.0.0.1:8080
 ```
+The `--port` flag is deprecated; it goes away in 3.0.
""",
    ),
    Snippet(
        "markdown",
        "CHANGELOG.md",
        "",
        """ ## Unreleased
 
+- @Noun@s can be exported as CSV.
+- The default limit is @num@.
 - Faster start.
""",
    ),
)
