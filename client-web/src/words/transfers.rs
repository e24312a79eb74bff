//! The words of import and export.

words! {
    /// Moving memories in and out.
    TransferWords {
        title: "Import and export", "Import und Export";
        import: "Import", "Importieren";
        import_lead: "Memories from a file: an export of Picard, lines of JSON, a table (CSV), conversations.json of ChatGPT or Claude. What is here already is not stored twice if it has its id.", "Erinnerungen aus einer Datei: ein Export von Picard, Zeilen aus JSON, eine Tabelle (CSV), conversations.json von ChatGPT oder Claude. Was mit seiner Kennung schon hier ist, wird nicht doppelt gespeichert.";
        file: "File", "Datei";
        file_hint: "Of any size. You can also drop it here.", "Beliebig groß. Du kannst sie auch hierher ziehen.";
        sending: "{} % are sent", "{} % sind gesendet";
        taking: "The server is reading it …", "Der Server liest …";
        file_large: "The server does not take a file of this size.", "Eine so große Datei nimmt der Server nicht an.";
        text_large: "The text is longer than 16 MiB. Choose it as a file instead.", "Der Text ist länger als 16 MiB. Wähle ihn stattdessen als Datei.";
        unreadable: "This cannot be read: it is no text in UTF-8, or it broke off on the way.", "Das lässt sich nicht lesen: Es ist kein Text in UTF-8, oder es ist unterwegs abgebrochen.";
        paste: "Or its text", "Oder ihr Text";
        format: "Kind of file or text", "Art der Datei oder des Textes";
        by_itself: "As its name or beginning says", "Wie ihr Name oder Anfang sagt";
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
        row_label: "The row", "Die Zeile";
        row_rule: "", "Diese Zeile lässt sich nicht lesen.";
        json_rule: "", "Diese Zeile ist kein JSON.";
        csv_rule: "", "Diese Zeile ist kein CSV.";
        cells_rule: "", "Diese Zeile hat mehr Zellen, als die erste Zeile Spalten nennt.";
        large_rule: "", "Diese Zeile ist größer als 32 MiB.";
        cut_rule: "", "Die Datei hört mitten in ihrer Liste auf: Sie wurde abgeschnitten.";
        created_label: "The time of writing", "Die Zeit des Schreibens";
        date_rule: "", "Eine Zeit hat die Form 2027-01-31T18:00:00Z.";
        refresh: "Look again", "Noch einmal nachsehen";
    }
}
