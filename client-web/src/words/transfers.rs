//! The words of import and export.

words! {
    /// Moving memories in and out.
    TransferWords {
        title: "Import and export", "Import und Export";
        import: "Import", "Importieren";
        import_lead: "Memories from a file: an export of Picard, lines of JSON, a table (CSV), conversations.json of ChatGPT or Claude. What is here already is not stored twice if it has its id.", "Erinnerungen aus einer Datei: ein Export von Picard, Zeilen aus JSON, eine Tabelle (CSV), conversations.json von ChatGPT oder Claude. Was mit seiner Kennung schon hier ist, wird nicht doppelt gespeichert.";
        file: "File", "Datei";
        file_hint: "Up to 16 MiB. You can also drop it here.", "Bis zu 16 MiB. Du kannst sie auch hierher ziehen.";
        sending: "The file is being sent …", "Die Datei wird gesendet …";
        paste: "Or its text", "Oder ihr Text";
        format: "Kind of text", "Art des Textes";
        ndjson: "Lines of JSON", "Zeilen aus JSON";
        csv: "Table (CSV)", "Tabelle (CSV)";
        json: "One JSON document", "Ein JSON-Dokument";
        strict: "Store nothing if a single row is wrong", "Nichts speichern, wenn eine einzige Zeile falsch ist";
        start: "Start the import", "Import starten";
        empty: "Choose a file or put its text here.", "Wähle eine Datei oder füge ihren Text hier ein.";
        rejected: "This cannot be read as the kind of text that you chose.", "Das lässt sich nicht als die gewählte Art von Text lesen.";
        export: "Export", "Exportieren";
        export_lead: "Everything that you own, expired memories too. An export can be imported again.", "Alles, was dir gehört, auch Abgelaufenes. Ein Export lässt sich wieder importieren.";
        markdown: "Text to read (Markdown)", "Text zum Lesen (Markdown)";
        cannot: "To import, this application needs to be allowed to write.", "Zum Importieren muss diese Anwendung schreiben dürfen.";
        progress: "Your import", "Dein Import";
        queued: "Waiting for its turn", "Wartet, bis er an der Reihe ist";
        running: "Under way", "Läuft";
        done: "Done", "Fertig";
        failed: "Nothing was stored", "Nichts wurde gespeichert";
        figures: "{} of the rows are stored or were here already.", "{} der Zeilen sind gespeichert oder waren schon da.";
        total: "Rows", "Zeilen";
        wrong: "Wrong", "Falsch";
        errors: "What was wrong", "Was falsch war";
        row: "Row {}", "Zeile {}";
        refresh: "Look again", "Noch einmal nachsehen";
    }
}
