//! The facts of one source file that the rules ask for.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, TraitItem, Type, UseTree, Visibility};

/// A path as it is written, such as `crate::data::Cid`.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// One name that a `use` brings in. A glob has the name `*`.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) path: Named,
    pub(crate) name: String,
    pub(crate) is_public: bool,
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) is_test: bool,
    pub(crate) is_inline: bool,
    /// The file that `#[path]` gives.
    pub(crate) file: Option<String>,
}

/// A module: the one of the file, or one with a body inside it. Tests are left out.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The names from the module of the file down to this one.
    pub(crate) inside: Vec<String>,
    pub(crate) children: Vec<Child>,
    pub(crate) items: BTreeSet<String>,
    pub(crate) uses: Vec<Use>,
    pub(crate) paths: Vec<Named>,
    /// The lines of the items that are neither a `use` nor a `mod`.
    pub(crate) other_items: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The type of the inherent `impl` that has the function.
    pub(crate) owner: Option<String>,
    pub(crate) is_public: bool,
    pub(crate) is_test: bool,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) name: String,
    pub(crate) line: usize,
}

#[derive(Debug)]
pub(crate) struct Trait {
    pub(crate) name: String,
    /// The methods without a body.
    pub(crate) required: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The module of the file comes first.
    pub(crate) modules: Vec<Module>,
    pub(crate) functions: Vec<Function>,
    pub(crate) types: Vec<Defined>,
    pub(crate) traits: Vec<Trait>,
    /// The lines with a `static` or a `thread_local!`.
    pub(crate) globals: Vec<usize>,
    /// The first and the last line of each item that is compiled for tests only.
    pub(crate) tests: Vec<(usize, usize)>,
}

impl Source {
    pub(crate) fn read(text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let mut reader = Reader::default();
        reader.found.modules.push(Module::default());
        reader.visit_file(&file);
        Ok(reader.found)
    }

    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }
}

#[derive(Default)]
struct Reader {
    found: Source,
    module: usize,
    in_test: bool,
    owner: Option<String>,
}

impl Reader {
    fn module(&mut self) -> &mut Module {
        &mut self.found.modules[self.module]
    }

    /// Visits a part of the file, and notes whether it is compiled for tests only.
    fn enter(&mut self, attributes: &[Attribute], span: Span, visit: impl FnOnce(&mut Self)) {
        let outer = self.in_test;
        if !outer && attributes.iter().any(is_for_tests) {
            self.in_test = true;
            self.found.tests.push((span.start().line, span.end().line));
        }
        visit(self);
        self.in_test = outer;
    }

    fn child(&mut self, item: &syn::ItemMod) {
        let name = item.ident.to_string();
        let child = Child {
            name: name.clone(),
            is_test: self.in_test,
            is_inline: item.content.is_some(),
            file: item.attrs.iter().find_map(given_path),
        };
        self.module().children.push(child);
        let Some((_, items)) = &item.content else { return };
        let outer = self.module;
        if !self.in_test {
            self.module().other_items.push(item.span().start().line);
            let mut inside = self.module().inside.clone();
            inside.push(name);
            self.module = self.found.modules.len();
            self.found.modules.push(Module { inside, ..Module::default() });
        }
        items.iter().for_each(|item| self.visit_item(item));
        self.module = outer;
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Mod(item) => return self.child(item),
            Item::Use(_) if self.in_test => return,
            Item::Use(item) => {
                let is_public = !matches!(item.vis, Visibility::Inherited);
                let mut found = Vec::new();
                flatten(&mut Vec::new(), &item.tree, is_public, &mut found);
                return self.module().uses.append(&mut found);
            }
            _ => {}
        }
        if !self.in_test {
            let line = item.span().start().line;
            if matches!(item, Item::Static(_)) {
                self.found.globals.push(line);
            }
            self.module().other_items.push(line);
            self.name(item);
        }
        visit::visit_item(self, item);
    }

    fn name(&mut self, item: &Item) {
        let (name, is_type) = match item {
            Item::Const(item) => (&item.ident, false),
            Item::Static(item) => (&item.ident, false),
            Item::Fn(item) => (&item.sig.ident, false),
            Item::Struct(item) => (&item.ident, true),
            Item::Enum(item) => (&item.ident, true),
            Item::Union(item) => (&item.ident, true),
            Item::Type(item) => (&item.ident, true),
            Item::Trait(item) => (&item.ident, true),
            Item::Macro(syn::ItemMacro { ident: Some(ident), .. }) => (ident, false),
            _ => return,
        };
        let (name, line) = (name.to_string(), name.span().start().line);
        if is_type {
            self.found.types.push(Defined { name: name.clone(), line });
        }
        self.module().items.insert(name);
    }

    fn function(&mut self, signature: &syn::Signature, is_public: bool, body: &syn::Block) {
        self.found.functions.push(Function {
            name: signature.ident.to_string(),
            owner: self.owner.clone(),
            is_public,
            is_test: self.in_test,
            first: signature.span().start().line,
            last: body.span().end().line,
        });
    }

    fn path(&mut self, segments: Vec<String>, span: Span) {
        if segments.len() > 1 && !self.in_test {
            self.module().paths.push(Named { segments, line: span.start().line });
        }
    }

    /// The paths in the arguments of a macro, which no parser knows.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 || path.is_empty() {
                        self.path(std::mem::take(&mut path), start);
                        start = name.span();
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.path(std::mem::take(&mut path), start);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.path(path, start);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.enter(attributes_of(item), item.span(), |reader| reader.item(item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let owner = self.owner.take();
        self.function(&item.sig, matches!(item.vis, Visibility::Public(_)), &item.block);
        visit::visit_item_fn(self, item);
        self.owner = owner;
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = match &*item.self_ty {
            Type::Path(named) if item.trait_.is_none() => named.path.segments.last(),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.owner, owner.map(|name| name.ident.to_string()));
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        self.enter(attributes, item.span(), |reader| {
            if let ImplItem::Fn(item) = item {
                let is_public = matches!(item.vis, Visibility::Public(_));
                reader.function(&item.sig, is_public, &item.block);
            }
            visit::visit_impl_item(reader, item);
        });
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let required = item.items.iter().filter_map(|item| match item {
            TraitItem::Fn(method) if method.default.is_none() => Some(method.sig.ident.to_string()),
            _ => None,
        });
        if !self.in_test {
            let (name, required) = (item.ident.to_string(), required.collect());
            self.found.traits.push(Trait { name, required });
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, false, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.enter(&field.attrs, field.span(), |reader| visit::visit_field(reader, field));
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        self.enter(&field.attrs, field.span(), |reader| visit::visit_field_value(reader, field));
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.enter(&local.attrs, local.span(), |reader| visit::visit_local(reader, local));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.path(segments.collect(), path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.is_ident("thread_local") && !self.in_test {
            self.found.globals.push(call.span().start().line);
        }
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn flatten(prefix: &mut Vec<String>, tree: &UseTree, is_public: bool, found: &mut Vec<Use>) {
    let mut leaf = |last: Option<String>, name: String, line: usize| {
        let segments = prefix.iter().cloned().chain(last).collect();
        found.push(Use { path: Named { segments, line }, name, is_public });
    };
    let line = tree.span().start().line;
    match tree {
        UseTree::Path(tree) => {
            prefix.push(tree.ident.to_string());
            flatten(prefix, &tree.tree, is_public, found);
            prefix.pop();
        }
        UseTree::Name(tree) if tree.ident == "self" => {
            leaf(None, prefix.last().cloned().unwrap_or_default(), line);
        }
        UseTree::Name(tree) => leaf(Some(tree.ident.to_string()), tree.ident.to_string(), line),
        UseTree::Rename(tree) => {
            let last = (tree.ident != "self").then(|| tree.ident.to_string());
            leaf(last, tree.rename.to_string(), line);
        }
        UseTree::Glob(_) => leaf(None, "*".to_owned(), line),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(prefix, tree, is_public, found));
        }
    }
}

/// `#[cfg(test)]` and `#[cfg(all(test, …))]`. With `any`, other builds have the item, too.
fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let condition = list.tokens.to_string().replace(' ', "");
    list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
}

fn given_path(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(file), .. }) = &meta.value else {
        return None;
    };
    meta.path.is_ident("path").then(|| file.value())
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
